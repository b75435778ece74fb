/* A plug-in for QEMU's user-mode emulation: counts the instructions that a program executes.
 *
 *     qemu-aarch64 -plugin libcount.so,out=FILE …
 *
 * FILE gets the count at every call of getpgid, which is how a program marks its stages (nothing else makes it),
 * and at the end. Declared here is what is used of qemu-plugin.h, which no package holds; VERSION is the
 * interface's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { GETPGID = 155, NO_REGISTERS = 0 }; /* the number it has on 64-bit ARM */

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info_t;

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*call)(unsigned, void *),
                                                 int registers, void *data);
extern void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                      uint64_t, uint64_t, uint64_t, uint64_t));
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, void *), void *data);

EXPORT int qemu_plugin_version = VERSION;

static uint64_t executed;
static FILE *out;

static void block_executed(unsigned processor, void *instructions)
{
    (void)processor;
    /* Threads that wait are all that runs beside the one that is measured; an atomic addition costs little. */
    __atomic_fetch_add(&executed, (uint64_t)(uintptr_t)instructions, __ATOMIC_RELAXED);
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, block_executed, NO_REGISTERS,
                                         (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void system_call(qemu_plugin_id_t id, unsigned processor, int64_t number, uint64_t a, uint64_t b, uint64_t c,
                        uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)processor, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == GETPGID)
        fprintf(out, "%" PRIu64 "\n", executed);
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    fprintf(out, "%" PRIu64 "\n", executed);
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || (out = fopen(argv[0] + 4, "w")) == NULL) {
        fputs("libcount.so: give out=FILE\n", stderr);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
