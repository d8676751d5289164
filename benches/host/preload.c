/* An empty library for LD_PRELOAD: the cost of preloading any library, for comparison. */
extern const char empty;
const char empty = 0;
