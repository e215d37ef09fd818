/* SPDX-License-Identifier: MIT
 *
 * Launches are collected in graphs. What a token of a model needs is some hundred small kernels;
 * launched one by one they may take the host longer than the GPU. The first rows after a wait are
 * launched at once, so that the GPU has something to do and short programs pay for nothing; those
 * behind them are captured, in graphs of GRAPH_ROWS rows each. The next token has the same
 * kernels with other arguments, with which the graph at the same place since the wait is updated.
 *
 * TERN_CUDA_GRAPHS=0 turns that off. Not measured on a GPU.
 */
#include <stdlib.h>
#include <string.h>

#include "device/cuda/cuda.h"

enum {
    DIRECT_ROWS = 16, /* after a wait */
    GRAPH_ROWS = 32,
    GRAPHS = 64, /* that are kept; after that many places begin anew */
};

typedef struct graph_state {
    bool is_off, is_capturing;
    int64_t rows; /* since the wait */
    int captured; /* rows of the graph that is being captured */
    int next;     /* place of the next graph */
    cudaGraphExec_t made[GRAPHS];
} graph_state;

static graph_state *state_of(cuda_device *d) {
    if (d->graph != NULL)
        return (graph_state *)d->graph;
    graph_state *s = (graph_state *)calloc(1, sizeof *s);
    const char *wish = getenv("TERN_CUDA_GRAPHS");
    if (s != NULL)
        s->is_off = wish != NULL && strcmp(wish, "0") == 0;
    d->graph = s;
    return s;
}

/* The graph of this place becomes `graph`: updated where it has the same kernels, else made. */
static cudaError_t make_graph(cuda_device *d, cudaGraphExec_t *made, cudaGraph_t graph) {
    cudaGraphExecUpdateResultInfo info;
    if (*made != NULL) {
        if (cudaGraphExecUpdate(*made, graph, &info) == cudaSuccess)
            return cudaSuccess;
        (void)cudaGetLastError();
        cudaError_t error = cudaStreamSynchronize(d->stream);
        if (error == cudaSuccess)
            error = cudaGraphExecDestroy(*made);
        *made = NULL;
        if (error != cudaSuccess)
            return error;
    }
    return cudaGraphInstantiate(made, graph, 0);
}

static cudaError_t launch_graph(cuda_device *d, graph_state *s, cudaGraph_t graph) {
    cudaGraphExec_t *made = &s->made[s->next];
    s->next = (s->next + 1) % GRAPHS;
    cudaError_t error = make_graph(d, made, graph);
    return error == cudaSuccess ? cudaGraphLaunch(*made, d->stream) : error;
}

tern_status cuda_flush(cuda_device *d) {
    graph_state *s = (graph_state *)d->graph;
    if (s == NULL || !s->is_capturing)
        return TERN_OK;
    cudaGraph_t graph = NULL;
    size_t nodes = 0;
    s->is_capturing = false;
    cudaError_t error = cudaStreamEndCapture(d->stream, &graph);
    if (error == cudaSuccess)
        error = cudaGraphGetNodes(graph, NULL, &nodes);
    if (error == cudaSuccess && nodes > 0) /* a first row that flushes by itself has put in none */
        error = launch_graph(d, s, graph);
    if (graph != NULL)
        cudaGraphDestroy(graph);
    return cuda_check(d, error, "launching a graph");
}

tern_status cuda_collect(cuda_device *d) {
    graph_state *s = state_of(d);
    if (s == NULL || s->is_off || s->rows++ < DIRECT_ROWS)
        return TERN_OK;
    if (s->is_capturing && s->captured++ < GRAPH_ROWS)
        return TERN_OK;
    tern_status status = cuda_flush(d);
    if (status == TERN_OK)
        status =
            cuda_check(d, cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeRelaxed), "graph");
    s->is_capturing = status == TERN_OK;
    s->captured = 1;
    return status;
}

void cuda_graphs_rewind(cuda_device *d) {
    graph_state *s = (graph_state *)d->graph;
    if (s != NULL)
        s->rows = s->next = 0;
}

void cuda_graphs_close(cuda_device *d) {
    graph_state *s = (graph_state *)d->graph;
    for (int i = 0; s != NULL && i < GRAPHS; i++)
        if (s->made[i] != NULL)
            cudaGraphExecDestroy(s->made[i]);
    free(s);
    d->graph = NULL;
}
