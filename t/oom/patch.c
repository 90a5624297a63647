
/*
 * Puts us between the module and everything that it calls.
 *
 * The module was linked with "now", so that all its calls to the outside are
 * resolved when nginx loads it.  Then each of them is led to a stub, which
 * says which call it is, asks oom_crossing(), and goes on to where that says.
 * Elsewhere than on x86-64 there are no stubs: calls that we wrap are led to
 * us, and the others are not seen.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oom.h"


#define OOM_SLOTS      1024
#define OOM_STUB_SIZE  18


typedef struct {
    const char  *name;
    void        *target;
    int          allowed;
} oom_slot_t;


static void oom_init(void) __attribute__((constructor));
static int oom_init_nginx(struct dl_phdr_info *info, size_t size, void *data);
static void oom_patch_slot(struct link_map *map, const ElfW(Rela) *rela,
    const ElfW(Sym) *symbols, const char *names);
static void *oom_target(const char *name, void *real);
static void *oom_stub(int n, void *target);

void *oom_crossing(long n);
void oom_stub_common(void);


oom_control_t      *oom;
char                oom_bad_file[4096];

static oom_slot_t   oom_slots[OOM_SLOTS];
static int          oom_nslots;

static uintptr_t    oom_nginx_start;
static uintptr_t    oom_nginx_end;


/* nginx clears the environment of its workers: it is read when the master
 * is loaded */

static void
oom_init(void)
{
    int          fd;
    void        *p;
    const char  *file, *bad;

    bad = getenv("PAYER_OOM_BAD");

    if (bad) {
        snprintf(oom_bad_file, sizeof(oom_bad_file), "%s", bad);
    }

    dl_iterate_phdr(oom_init_nginx, NULL);

    file = getenv("PAYER_OOM_FILE");
    fd = file ? open(file, O_RDWR|O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(oom_control_t), PROT_READ|PROT_WRITE, MAP_SHARED,
             fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        oom = p;
    }
}


/* the program itself is the first */

static int
oom_init_nginx(struct dl_phdr_info *info, size_t size, void *data)
{
    int                n;
    uintptr_t          end;
    const ElfW(Phdr)  *header;

    (void) size;
    (void) data;

    oom_nginx_start = info->dlpi_addr;

    for (n = 0; n < info->dlpi_phnum; n++) {
        header = &info->dlpi_phdr[n];
        end = info->dlpi_addr + header->p_vaddr + header->p_memsz;

        if (header->p_type == PT_LOAD && end > oom_nginx_end) {
            oom_nginx_end = end;
        }
    }

    return 1;
}


int
oom_in_nginx(void *address)
{
    return (uintptr_t) address >= oom_nginx_start
           && (uintptr_t) address < oom_nginx_end;
}


void *
oom_real(const char *name)
{
    void  *real;

    real = dlsym(RTLD_NEXT, name);

    if (real == NULL) {
        fprintf(stderr, "oom: no %s\n", name);
        abort();
    }

    return real;
}


void *
dlopen(const char *file, int mode)
{
    void          *handle;
    static void  *(*real)(const char *, int);

    if (real == NULL) {
        *(void **) &real = oom_real("dlopen");
    }

    handle = real(file, mode);

    if (oom && handle && file && oom_nslots == 0
        && dlsym(handle, "ngx_http_payer_module"))
    {
        oom_patch(handle);
        oom->slots = oom_nslots;
    }

    return handle;
}


void
oom_patch(void *handle)
{
    size_t              size;
    const char         *names;
    const ElfW(Dyn)    *dyn;
    const ElfW(Sym)    *symbols;
    struct link_map    *map;
    const ElfW(Rela)   *rela, *last;

    map = handle;
    size = 0;
    names = NULL;
    symbols = NULL;
    rela = NULL;

    for (dyn = map->l_ld; dyn->d_tag != DT_NULL; dyn++) {

        switch (dyn->d_tag) {

        case DT_STRTAB:
            names = (const char *) dyn->d_un.d_ptr;
            break;

        case DT_SYMTAB:
            symbols = (const ElfW(Sym) *) dyn->d_un.d_ptr;
            break;

        case DT_JMPREL:
            rela = (const ElfW(Rela) *) dyn->d_un.d_ptr;
            break;

        case DT_PLTRELSZ:
            size = dyn->d_un.d_val;
            break;
        }
    }

    for (last = rela + size / sizeof(*rela); rela < last; rela++) {
        oom_patch_slot(map, rela, symbols, names);
    }
}


/* what the module defines by itself stays as it is */

static void
oom_patch_slot(struct link_map *map, const ElfW(Rela) *rela,
    const ElfW(Sym) *symbols, const char *names)
{
    int                n;
    void             **slot;
    uintptr_t          page;
    const char        *name;
    const ElfW(Sym)   *symbol;

    symbol = &symbols[ELF64_R_SYM(rela->r_info)];
    name = names + symbol->st_name;

    if (symbol->st_shndx != SHN_UNDEF || oom_nslots == OOM_SLOTS
        || strncmp(name, "__asan_", 7) == 0
        || strncmp(name, "__ubsan_", 8) == 0)
    {
        return;
    }

    n = oom_nslots++;
    slot = (void **) (map->l_addr + rela->r_offset);
    page = (uintptr_t) slot & ~(uintptr_t) (getpagesize() - 1);

    oom_slots[n].name = name;
    oom_slots[n].target = oom_target(name, *slot);
    oom_slots[n].allowed = oom_allowed(name);

    if (mprotect((void *) page, getpagesize(), PROT_READ|PROT_WRITE) != 0) {
        perror("oom: mprotect");
        abort();
    }

    *slot = oom_stub(n, oom_slots[n].target);
}


static void *
oom_target(const char *name, void *real)
{
    size_t       i, k;
    oom_wrap_t  *wraps[] = { oom_alloc_wraps, oom_lock_wraps };

    for (k = 0; k < 2; k++) {
        for (i = 0; wraps[k][i].name; i++) {
            if (strcmp(wraps[k][i].name, name) == 0) {
                *wraps[k][i].real = real;
                return wraps[k][i].own;
            }
        }
    }

    return real;
}


#if defined(__x86_64__)

static void *
oom_stub(int n, void *target)
{
    uint64_t                common;
    unsigned char          *p;
    static unsigned char   *stubs;

    (void) target;

    if (stubs == NULL) {
        stubs = mmap(NULL, OOM_SLOTS * OOM_STUB_SIZE,
                     PROT_READ|PROT_WRITE|PROT_EXEC,
                     MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

        if (stubs == MAP_FAILED) {
            perror("oom: mmap");
            abort();
        }
    }

    p = stubs + n * OOM_STUB_SIZE;
    common = (uint64_t) (uintptr_t) oom_stub_common;

    /* push n; mov common, %r11; jmp *%r11 */

    p[0] = 0x68;
    memcpy(p + 1, &n, 4);
    p[5] = 0x49;
    p[6] = 0xbb;
    memcpy(p + 7, &common, 8);
    p[15] = 0x41;
    p[16] = 0xff;
    p[17] = 0xe3;

    return p;
}


/* keeps what carries arguments; the number of the call is on the stack */

__asm__(
    ".text\n"
    ".globl oom_stub_common\n"
    ".hidden oom_stub_common\n"
    ".type oom_stub_common, @function\n"
"oom_stub_common:\n"
    "pushq %rax\n"
    "pushq %rdi\n"
    "pushq %rsi\n"
    "pushq %rdx\n"
    "pushq %rcx\n"
    "pushq %r8\n"
    "pushq %r9\n"
    "pushq %r10\n"
    "subq $128, %rsp\n"
    "movups %xmm0, (%rsp)\n"
    "movups %xmm1, 16(%rsp)\n"
    "movups %xmm2, 32(%rsp)\n"
    "movups %xmm3, 48(%rsp)\n"
    "movups %xmm4, 64(%rsp)\n"
    "movups %xmm5, 80(%rsp)\n"
    "movups %xmm6, 96(%rsp)\n"
    "movups %xmm7, 112(%rsp)\n"
    "movq 192(%rsp), %rdi\n"
    "call oom_crossing@PLT\n"
    "movq %rax, %r11\n"
    "movups (%rsp), %xmm0\n"
    "movups 16(%rsp), %xmm1\n"
    "movups 32(%rsp), %xmm2\n"
    "movups 48(%rsp), %xmm3\n"
    "movups 64(%rsp), %xmm4\n"
    "movups 80(%rsp), %xmm5\n"
    "movups 96(%rsp), %xmm6\n"
    "movups 112(%rsp), %xmm7\n"
    "addq $128, %rsp\n"
    "popq %r10\n"
    "popq %r9\n"
    "popq %r8\n"
    "popq %rcx\n"
    "popq %rdx\n"
    "popq %rsi\n"
    "popq %rdi\n"
    "popq %rax\n"
    "addq $8, %rsp\n"
    "jmp *%r11\n"
    ".size oom_stub_common, . - oom_stub_common\n"
);

#else

static void *
oom_stub(int n, void *target)
{
    (void) n;

    return target;
}

#endif


void *
oom_crossing(long n)
{
    if (oom_mutex && !oom_slots[n].allowed) {
        oom_wrong(oom_slots[n].name);
    }

    return oom_slots[n].target;
}
