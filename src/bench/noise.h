/* SPDX-License-Identifier: MIT
 * How quiet the machine is while something is measured: what other programs did meanwhile, and
 * whether a loop of known length became slower.
 *
 *     tern__noise_window window;
 *     tern__noise_begin(&window);
 *     ...
 *     double load = tern__noise_end(&window);
 */
#ifndef TERN__NOISE_H
#define TERN__NOISE_H

#include <stdbool.h>
#include <stdint.h>

/* -- other programs ----------------------------------------------------------------------------*/

/* More than this of a processor makes a measurement noisy. */
#define TERN__NOISE_LOAD 0.1
/* So does a spread p5..p95 wider than this part of the median, which some samples still settle to
 * some percent. */
#define TERN__NOISY_SPREAD 0.25

typedef struct tern__noise_window {
    uint64_t wall_ns, process_ns;
    double busy, counted; /* seconds of all processors: at work; with the idle ones */
    bool is_known;        /* the system tells */
} tern__noise_window;

/* Reads what the processors that this process may use have done so far. */
void tern__noise_begin(tern__noise_window *window);

/* How many of them other programs kept busy since then, the time that a host took away among it:
 * 0.5 is half a processor. NaN where nobody tells, and within 50 ms, as the system counts in steps
 * of 10 ms. The window stays open. */
double tern__noise_end(const tern__noise_window *window);
double tern__noise_seconds(const tern__noise_window *window); /* since the beginning */

/* -- a loop of known length --------------------------------------------------------------------*/

/* Dependent multiplications: they take their time whatever else the core does. */
void tern__noise_spend(int64_t steps);

/* Times one loop of about 20 us, in nanoseconds. */
double tern__noise_loop(void);
/* The fastest one of this process, by the clock in force. */
double tern__noise_fastest(void);

/* Whether `n` >= 1 loops tell that the machine was slower than it can be: their median by more than
 * 10 %, or more than a fifth of them by more than 25 %. They are sorted in place. */
bool tern__noise_is_slowed(double *loops, int64_t n, double fastest);

#endif
