#include <string.h>
#include <tern/bench.h>
static const tern_bench_table tables[] = {
    {"roofline", "", "ROOF", tern_bench_roofline},
    {"memory", "", "T3,T5a,T5b,T5c,T5d,T5e", tern_bench_memory},
    {"zero-copy", "", "T4", tern_bench_zero_copy},
    {"elementwise", "", "T2", tern_bench_elementwise},
    {"matmul", "", "T1a", tern_bench_matmul},
    {"kernels", "", "T1b,K1,K3,K4,K5,K6,KERN", tern_bench_kernels},
    {"operations", "", "OPS", tern_bench_operations},
};
int tern_bench_table_count(void) {
    return 7;
}
const tern_bench_table *tern_bench_table_at(int i) {
    return i >= 0 && i < 7 ? &tables[i] : NULL;
}
const tern_bench_table *tern_bench_table_find(const char *name) {
    for (int i = 0; i < 7; i++)
        if (strcmp(tables[i].name, name) == 0)
            return &tables[i];
    return NULL;
}
