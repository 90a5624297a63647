
/*
 * Loaded into nginx by LD_PRELOAD: fails allocations, watches the zone's mutex
 * and the memory of the zone, and lets time pass.
 *
 * The module is the one that is shipped.  When nginx loads it, the addresses
 * by which it calls what is outside of it are replaced by our own, so that
 * we are asked first, see patch.c.  What nginx and the libraries allocate is
 * seen where they ask the C library, see heap.c.
 *
 * The test and nginx talk by the file PAYER_OOM_FILE, which is an
 * oom_control_t; t/lib/Payer/Oom.pm knows its layout, too.
 */


#ifndef _OOM_H_INCLUDED_
#define _OOM_H_INCLUDED_


#include <stddef.h>


#define OOM_TEXT    128
#define OOM_CHUNKS  32768


typedef struct {
    void  *data;
    long   size;
    long   root;            /* made when nginx started: nobody points to it */
    long   seen;
} oom_chunk_t;


typedef struct {
    long         nth;               /* the allocation to fail, 0: none */
    long         on;                /* and all that come later */
    long         count;             /* allocations since nth was set */
    long         failed;            /* of those */
    long         heap;              /* blocks that are allocated */
    long         locks;             /* how often the mutex was taken */
    long         wrongs;            /* what must not happen under it */
    long         slots;             /* calls of the module that we see */
    long         ask;               /* an oom_ask_e, until it is done */
    long         lost;              /* chunks of the zone nobody points to */
    long         nchunks;           /* all of them */
    long         passed;            /* seconds, in no time */
    long         spare;             /* what nginx itself allocates */
    char         what[OOM_TEXT];    /* the first allocation that failed */
    char         wrong[OOM_TEXT];   /* the first wrong */
    oom_chunk_t  chunks[OOM_CHUNKS];
} oom_control_t;


typedef enum {
    OOM_ASK_NOTHING = 0,
    OOM_ASK_LOST,                   /* look for lost chunks */
    OOM_ASK_BAD                     /* and more: a misdeed, see bad.c */
} oom_ask_e;


/* a call that goes through us, and where it went before */
typedef struct {
    const char  *name;
    void        *own;
    void       **real;
} oom_wrap_t;


extern oom_control_t    *oom;
extern char              oom_bad_file[];
extern __thread void    *oom_mutex; /* that this thread holds, or NULL */

extern oom_wrap_t        oom_alloc_wraps[];
extern oom_wrap_t        oom_lock_wraps[];


void *oom_real(const char *name);
int oom_in_nginx(void *address);
void oom_patch(void *handle);
int oom_fails(const char *name, void *caller);
void oom_wrong(const char *name);

/* whether this may be called under the mutex */
int oom_allowed(const char *name);

void oom_chunk_add(void *data, size_t size, int root);
void oom_chunk_remove(void *data);


#endif /* _OOM_H_INCLUDED_ */
