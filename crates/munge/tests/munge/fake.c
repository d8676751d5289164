/* A libmunge without a daemon: the functions of munge.h that the crate uses, with the same
 * ownership of memory. A credential is "MUNGE:" + payload + ":". Payloads that begin with "error"
 * and a number give this error when they are decoded. */

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct munge_ctx {
    int error;
    char text[64];
    struct in_addr address;
    time_t encoded;
};



struct munge_ctx *munge_ctx_create(void) {

    return calloc(1, sizeof(struct munge_ctx));
}

void munge_ctx_destroy(struct munge_ctx *ctx) {

    free(ctx);
}

const char *munge_ctx_strerror(struct munge_ctx *ctx) {
    return ctx->error ? ctx->text : NULL;
}

static int fail(struct munge_ctx *ctx, int error) {
    ctx->error = error;
    snprintf(ctx->text, sizeof ctx->text, "message %d", error);
    return error;
}

int munge_encode(char **cred, struct munge_ctx *ctx, const void *buf, int len) {
    *cred = NULL;
    if (len >= 5 && memcmp(buf, "socket", 5) == 0) {
        return fail(ctx, 6);
    }
    *cred = malloc(len + 8);
    sprintf(*cred, "MUNGE:%.*s:", len, (const char *)buf);
    return 0;
}

int munge_decode(const char *cred, struct munge_ctx *ctx, void **buf, int *len, uid_t *uid,
                 gid_t *gid) {
    int error = 0;
    size_t length = strlen(cred);
    *buf = NULL;
    *len = 0;
    *uid = -1;
    *gid = -1;
    if (length < 7 || strncmp(cred, "MUNGE:", 6) != 0) {
        return fail(ctx, 8);
    }
    *len = length - 7;
    if (*len > 0) {
        *buf = calloc(1, *len + 1);
        memcpy(*buf, cred + 6, *len);
        sscanf(*buf, "error%d", &error);
    }
    *uid = 1001;
    *gid = 1002;
    ctx->address.s_addr = htonl(0x0a4d0065);
    ctx->encoded = 1795489395;
    return error ? fail(ctx, error) : 0;
}

int munge_ctx_get(struct munge_ctx *ctx, int opt, ...) {
    va_list arguments;
    va_start(arguments, opt);
    if (opt == 5) {
        *va_arg(arguments, struct in_addr *) = ctx->address;
    } else if (opt == 6) {
        *va_arg(arguments, time_t *) = ctx->encoded;
    }
    va_end(arguments);
    return opt == 5 || opt == 6 ? 0 : fail(ctx, 2);
}
