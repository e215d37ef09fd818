/* SPDX-License-Identifier: MIT
 * Double-precision functions of our own, so that tables (RoPE) and samplers have the same bits on
 * every platform: the library imports no transcendental from libm. Plain double arithmetic with
 * explicit fma. Largest relative error of normal results, measured against quad precision over
 * millions of random and difficult arguments: exp 1.5e-16, log 1.2e-16, sincos 1.3e-16 (also beside
 * multiples of pi/2), pow 2.4e-15 (|y log x| < 700; 2e-16 where it is below 10). The tests hold
 * them to 1.7e-16 and 3e-15. NaN in gives NaN out. */
#ifndef TERN__REALMATH_H
#define TERN__REALMATH_H

double tern__exp(double x);           /* all x; overflow to +inf, underflow to 0 */
double tern__log(double x);           /* x > 0 normal or denormal; log(0) = -inf; x < 0 NaN */
double tern__pow(double x, double y); /* x > 0, finite y */
void tern__sincos(double x, double *sine, double *cosine); /* |x| <= 2^22, else NaN */

#endif
