/* SPDX-License-Identifier: MIT */
#include "bench/tables.h"

#include <string.h>

#include <tern/bench.h>

static const tern_bench_table tables[] = {
    {"memory", "targets T3 and T5: time and space of tensors, beside other allocators",
     "T3,T5a,T5b,T5c,T5d,T5e", tern_bench_memory},
    {"elementwise", "target T2: element-wise kernels against plain code and memory", "T2",
     tern_bench_elementwise},
    {"matmul",
     "targets T1a, T1c: F32 matrix products against plain loops, BLAS libraries, on accelerators",
     "T1a,T1c", tern_bench_matmul},
    {"zero-copy", "target T4: calls and bytes that are not copied", "T4", tern_bench_zero_copy},
    {"operations", "the time of every operation, small and large", "OPS", tern_bench_operations},
    {"roofline", "this machine's limits: read bandwidth and peaks of arithmetic units", "ROOF",
     tern_bench_roofline},
    {"kernels", "targets K1 to K7 and T1b: kernels for packed weights and their limits",
     "K1,K2,K3,K4,K5,K6,K7,T1b,KERN", tern_bench_kernels},
    {"models", "targets M1 to M6: whole models, as a share of the limits or beside llama-bench",
     "M1a,M1b,M2,M3,M4,M5,M6", tern_bench_models},
    {"devices", "accelerators: copies, products in F32 and with ternary weights, a model", "DEV",
     tern_bench_devices},
};
enum { TABLES = sizeof tables / sizeof *tables };

int tern_bench_table_count(void) {
    return TABLES;
}

const tern_bench_table *tern_bench_table_at(int index) {
    return index >= 0 && index < TABLES ? &tables[index] : NULL;
}

const tern_bench_table *tern_bench_table_find(const char *name) {
    for (int i = 0; i < TABLES; i++)
        if (strcmp(tables[i].name, name) == 0)
            return &tables[i];
    return NULL;
}

const tern__family_bench tern__family_benches[] = {
    {"attention", "operations", "attention"},
    {"conv", "operations", "conv2d"},
    {"convert", "operations", "concat"},
    {"elementwise", "operations", "rope"},
    {"functions", "elementwise", "T2"},
    {"gemm", "matmul", "T1a"},
    {"gemm_bf16", "operations", "matmul_with"},
    {"gemm_f64", "matmul_f64", NULL},
    {"gemm_i8", "matmul_i8", NULL},
    {"int4", "kernels", "int4"},
    {"int8", "kernels", "int8"},
    {"map", "elementwise", "T2"},
    {"peaks", "roofline", "ROOF"},
    {"plain", "operations", "gather"},
    {"quantize", "operations", "pack_int"},
    {"reduce", "elementwise", "T2"},
    {"rows", "elementwise", "T2"},
    {"trits4", "kernels", "trits4"},
    {"trits5", "kernels", "trits5"},
    {0},
};
