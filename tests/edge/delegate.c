/* A stand-in for libedgetpu: TFLite's external delegate functions, and failures where FAIL says so.
   The structure is TfLiteDelegate of tensorflow/lite/core/c/common.h. */
#include <stdint.h>
#include <stdlib.h>

struct delegate {
    void *data;
    int (*prepare)(void *context, struct delegate *self);
    void *copy_from_handle, *copy_to_handle, *free_handle;
    int64_t flags;
    void *opaque;
};

static int prepare(void *context, struct delegate *self)
{
    (void)context;
    (void)self;
#ifdef FAIL_PREPARE
    return 1; /* kTfLiteError */
#else
    return 0; /* takes no operation */
#endif
}

#ifndef NO_SYMBOL
struct delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                               void (*report)(const char *))
{
    (void)keys;
    (void)values;
    (void)count;
#ifdef FAIL_CREATE
    report("no device is attached");
    return NULL;
#else
    (void)report;
    struct delegate *made = calloc(1, sizeof *made);
    made->prepare = prepare;
    return made;
#endif
}

void tflite_plugin_destroy_delegate(struct delegate *made)
{
    free(made);
}
#endif

#ifdef FAIL_LOAD
extern int nowhere_to_be_found(void);
int (*const needed)(void) = nowhere_to_be_found;
#endif
