/* A libmunge without a daemon. Its credentials have only characters of base64, like those of the
 * real one, so the listener accepts them: "MUNGE:" + payload in hexadecimal digits + ":". */

#define munge_decode decode_text
#define munge_encode encode_text
#include "../../../../munge/tests/munge/fake.c"
#undef munge_decode
#undef munge_encode

int munge_encode(char **cred, struct munge_ctx *ctx, const void *buf, int len) {
    char digits[4096];
    for (int at = 0; at < len && at < 2000; at++) {
        snprintf(digits + 2 * at, 3, "%02x", ((const unsigned char *)buf)[at]);
    }
    return encode_text(cred, ctx, digits, 2 * len);
}

int munge_decode(const char *cred, struct munge_ctx *ctx, void **buf, int *len, uid_t *uid,
                 gid_t *gid) {
    char text[4096] = "MUNGE:";
    size_t length = 6;
    unsigned int byte;
    for (const char *digits = cred + 6; length < sizeof text - 2; digits += 2) {
        if (sscanf(digits, "%2x", &byte) != 1) {
            break;
        }
        text[length++] = (char)byte;
    }
    text[length] = ':';
    return decode_text(text, ctx, buf, len, uid, gid);
}
