/* Which processor a program runs on. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

/* Keeps this process and its children on the processor that it runs on. With a tracer on another one,
 * each step of a traced process would wait until that processor wakes up. */
void stay_on_this_processor(void);

#endif
