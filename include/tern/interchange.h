/* SPDX-License-Identifier: MIT
 *
 * Tensors that come from elsewhere and go there: DLPack, NumPy's .npy and .npz files, safetensors,
 * and text.
 *
 *     tern_archive *archive = NULL;
 *     tern_tensor *weight = NULL;
 *     char text[4096];
 *     if (tern_archive_open("model.safetensors", &archive) == TERN_OK &&
 *         tern_archive_tensor(context, archive, "conv1.weight", &weight) == TERN_OK &&
 *         tern_tensor_format(weight, NULL, text, sizeof text, NULL) == TERN_OK)
 *         puts(text);
 *     tern_archive_close(archive);       // the tensor keeps what it needs
 *     tern_tensor_release(weight);
 */
#ifndef TERN_INTERCHANGE_H
#define TERN_INTERCHANGE_H

#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- DLPack --------------------------------------------------------------------------------------
 * No byte moves. <tern/dlpack.h> declares the structures, as <dlpack/dlpack.h> does; types are all
 * plain ones. */

struct DLManagedTensor;
struct DLManagedTensorVersioned;

/* The tensor for another library, which calls `deleter` once, at any time, on any thread; until
 * then it holds a reference. Version 1.0; read-only when the tensor's bytes are borrowed. */
TERN_API tern_status tern_tensor_to_dlpack(tern_tensor *tensor,
                                           struct DLManagedTensorVersioned **managed);
/* The form before version 1, which cannot say read-only: TERN_E_ARGUMENT for borrowed bytes. */
TERN_API tern_status tern_tensor_to_dlpack_old(tern_tensor *tensor,
                                               struct DLManagedTensor **managed);

/* Borrows the bytes of `managed`, in the memory of the host; any strides. On success it belongs to
 * the tensor and its views: the last of them calls `deleter`. On failure it stays the caller's.
 * TERN_E_DTYPE for other types or more than one lane, TERN_E_SHAPE for more than 8 dimensions,
 * TERN_E_UNSUPPORTED for other devices, versions and data that is not aligned to its elements. */
TERN_API tern_status tern_tensor_from_dlpack(tern_context *context,
                                             struct DLManagedTensorVersioned *managed,
                                             tern_tensor **out);
TERN_API tern_status tern_tensor_from_dlpack_old(tern_context *context,
                                                 struct DLManagedTensor *managed,
                                                 tern_tensor **out);

/* -- files with tensors --------------------------------------------------------------------------
 * docs/formats.md says what exactly is read and written. A file is mapped and its structure checked
 * when it is opened; tensors borrow from the mapping where the file allows it: it must not change
 * while it is open. The format is told by the contents, not by the name. */

typedef struct tern_archive tern_archive;

/* TERN_E_FORMAT when it is malformed; TERN_E_UNSUPPORTED when it is none of the three, or has what
 * Tern does not read (another version, more than 8 dimensions, zip members that are encrypted or no
 * .npy files). */
TERN_API tern_status tern_archive_open(const char *path, tern_archive **archive);
/* Tensors made from it stay valid. NULL is fine. */
TERN_API void tern_archive_close(tern_archive *archive);

TERN_API const char *tern_archive_format(const tern_archive *archive); /* "npy", "npz", ... */
TERN_API uint64_t tern_archive_bytes(const tern_archive *archive);     /* of the file */
TERN_API int64_t tern_archive_tensor_count(const tern_archive *archive);

/* Texts live as long as the archive. */
typedef struct tern_archive_entry {
    const char *name;
    const char *type; /* as the file has it: "F32", "<f4" */
    tern_shape shape;
    uint64_t bytes; /* of its data in the file */
    bool is_known;  /* Tern has this type: `dtype` */
    tern_dtype dtype;
} tern_archive_entry;

/* In the order of the file; all zero, with empty texts, for an index out of range. */
TERN_API tern_archive_entry tern_archive_entry_at(const tern_archive *archive, int64_t index);

/* Borrowed and never written when the data lie in the file as they are and aligned to their
 * elements, else read into a fresh tensor; a Fortran-ordered array is a transposed view. The one
 * tensor of a .npy file is called "arr_0". TERN_E_NOT_FOUND, TERN_E_DTYPE for a type that Tern does
 * not have, TERN_E_FORMAT for a checksum that is wrong or a bool that is neither 0 nor 1. */
TERN_API tern_status tern_archive_tensor(tern_context *context, tern_archive *archive,
                                         const char *name, tern_tensor **out);

/* Key and value of the metadata of a safetensors file; NULL for an index out of range. */
TERN_API int64_t tern_archive_metadata_count(const tern_archive *archive);
TERN_API const char *tern_archive_metadata_at(const tern_archive *archive, int64_t index,
                                              const char **value);

/* Opens a .npy file, takes its tensor and closes it. */
TERN_API tern_status tern_npy_load(tern_context *context, const char *path, tern_tensor **out);

/* Writing: plain types, any strides. The file appears under its name when all of it is on the disk;
 * after a failure nothing has changed. */
TERN_API tern_status tern_npy_save(const char *path, tern_tensor *tensor);

typedef struct tern_named_tensor {
    const char *name; /* UTF-8; each name once */
    tern_tensor *tensor;
} tern_named_tensor;

/* `is_deflated`: compressed by zlib, else stored, so that readers can map it. */
TERN_API tern_status tern_npz_save(const char *path, const tern_named_tensor *tensors,
                                   int64_t count, bool is_deflated);

typedef struct tern_metadata {
    const char *key, *value; /* UTF-8; each key once */
} tern_metadata;

TERN_API tern_status tern_safetensors_save(const char *path, const tern_named_tensor *tensors,
                                           int64_t count, const tern_metadata *metadata,
                                           int64_t metadata_count);

/* -- text --------------------------------------------------------------------------------------*/

typedef struct tern_format_options {
    int precision;       /* most digits behind the point */
    int64_t threshold;   /* a tensor of more elements is shortened with ... */
    int64_t edge_items;  /* to so many at both ends of each axis */
    int line_width;      /* in characters */
    bool suppress_small; /* no scientific notation for small numbers */
} tern_format_options;

/* NumPy's: 8, 1000, 3, 75, false. */
TERN_API tern_format_options tern_format_options_default(void);

/* Writes the tensor as str() of NumPy 2 writes an array (BF16, which NumPy lacks, as F16), with the
 * shortest digits that tell a number from its neighbours, as a terminated text. TERN_E_LIMIT when
 * `size` bytes are too few: the start of the text is in them. *needed, if not NULL, is the size of
 * the whole text and its end; `text` may be NULL for size 0. `options` may be NULL. */
TERN_API tern_status tern_tensor_format(const tern_tensor *tensor,
                                        const tern_format_options *options, char *text, size_t size,
                                        size_t *needed);

#ifdef __cplusplus
}
#endif

#ifndef TERN_NO_SITES
#define TERN_SITES_INTERCHANGE
#include <tern/sites.h>
#endif
#endif
