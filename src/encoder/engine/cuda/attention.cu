// Scaled dot-product attention over packed texts, without storing probabilities: FlashAttention-2 (Dao 2023) with the
// matrix units' m16n8k16 product. Queries, keys and values stand together in rows of 3 x HIDDEN.
//
// A block takes 64 rows of one head of one text, a warp 16 of them. Shared tiles have rows of HEAD + 8, so that neither
// loads nor `ldmatrix` meet in a bank.

#define TILE 64
#define WIDE (HEAD + 8)
#define STEPS (HEAD / 16)  // of 16 along a head
#define PARTS (HEAD / 8)   // of 8 along a head
#define LOG2_E 1.4426950408889634f

// d += a b: a 16 x 16 by rows, b 16 x 8 by columns.
__device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two values that stand side by side in a shared tile.
__device__ __forceinline__ u32 two_of(const bf16 *tile, int row, int column) {
    return *(const u32 *)(tile + row * WIDE + column);
}

// The b operand of a product along the tile's rows: rows from..from+15, columns column..column+7, transposed.
__device__ __forceinline__ void transposed(const bf16 *tile, int from, int column, u32 &b0, u32 &b1) {
    u32 address = (u32)__cvta_generic_to_shared(tile + (from + (threadIdx.x & 15)) * WIDE + column);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(b0), "=r"(b1) : "r"(address));
}

// A tile of 64 rows from global memory, with a bias where there is one; rows beyond the text are zero. `source` is the
// tile's first value.
__device__ __forceinline__ void load(bf16 *tile, const bf16 *source, int rows, int stride, const float *bias) {
    for (int at = threadIdx.x; at < TILE * PARTS; at += blockDim.x) {
        int row = at / PARTS, part = at % PARTS;
        uint4 eight = make_uint4(0, 0, 0, 0);
        if (row < rows) {
            eight = *(const uint4 *)(source + (size_t)row * stride + 8 * part);
            if (bias) {
                const float4 *b = (const float4 *)(bias + 8 * part);
                float4 p = b[0], q = b[1];
                eight.x = pack(low(eight.x) + p.x, high(eight.x) + p.y);
                eight.y = pack(low(eight.y) + p.z, high(eight.y) + p.w);
                eight.z = pack(low(eight.z) + q.x, high(eight.z) + q.y);
                eight.w = pack(low(eight.w) + q.z, high(eight.w) + q.w);
            }
        }
        *(uint4 *)(tile + row * WIDE + 8 * part) = eight;
    }
}

// The a operand of the warp's 16 rows of a tile.
__device__ __forceinline__ void operand(u32 (&a)[4], const bf16 *tile, int from, int step, int group, int member) {
    a[0] = two_of(tile, from + group, 16 * step + 2 * member);
    a[1] = two_of(tile, from + group + 8, 16 * step + 2 * member);
    a[2] = two_of(tile, from + group, 16 * step + 2 * member + 8);
    a[3] = two_of(tile, from + group + 8, 16 * step + 2 * member + 8);
}

// Dropout factors of a query and two neighbouring keys (the first one even).
__device__ __forceinline__ void mask_two(const Drop drop, u32 head, int query, int key, float &first, float &second) {
    first = second = 1.0f;
    drop_two(drop, (head << 18) ^ ((u32)query << 9) ^ ((u32)key >> 1), first, second);
}

// context [rows, HIDDEN], logarithms [heads, rows] of each row's sum of exponentials, base 2.
extern "C" __global__ void attend(const bf16 *qkv, const float *bias, const u32 *starts, bf16 *context, float *logs, u32 rows, float scale,
                                  u32 seed, u32 threshold, float keep) {
    __shared__ __align__(16) bf16 queries[TILE * WIDE], keys[TILE * WIDE], values[TILE * WIDE];
    u32 text = blockIdx.z, head = blockIdx.y, start = starts[text];
    int length = (int)(starts[text + 1] - start), from = blockIdx.x * TILE;
    if (from >= length) return;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
    const bf16 *base = qkv + (size_t)start * 3 * HIDDEN + head * HEAD;
    bias += head * HEAD;
    load(queries, base + (size_t)from * 3 * HIDDEN, length - from, 3 * HIDDEN, bias);
    __syncthreads();
    u32 q[STEPS][4];
#pragma unroll
    for (int step = 0; step < STEPS; step++) operand(q[step], queries, 16 * warp, step, group, member);
    float o[PARTS][4] = {}, most[2] = {-1e30f, -1e30f}, sum[2] = {0.0f, 0.0f};
    Drop drop = {seed, threshold, keep};
    u32 place = text * gridDim.y + head;
    int row0 = from + 16 * warp + group;
    for (int first = 0; first < length; first += TILE) {
        __syncthreads();
        load(keys, base + HIDDEN + (size_t)first * 3 * HIDDEN, length - first, 3 * HIDDEN, bias + HIDDEN);
        load(values, base + 2 * HIDDEN + (size_t)first * 3 * HIDDEN, length - first, 3 * HIDDEN, bias + 2 * HIDDEN);
        __syncthreads();
        float s[8][4] = {};
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int step = 0; step < STEPS; step++)
                multiply(s[n], q[step], two_of(keys, 8 * n + group, 16 * step + 2 * member),
                         two_of(keys, 8 * n + group, 16 * step + 2 * member + 8));
        float largest[2] = {most[0], most[1]};
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int key = first + 8 * n + 2 * member + (i & 1);
                s[n][i] = key < length ? s[n][i] * scale : -1e30f;
                largest[i / 2] = fmaxf(largest[i / 2], s[n][i]);
            }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            largest[half] = fmaxf(largest[half], __shfl_xor_sync(0xffffffffu, largest[half], 1));
            largest[half] = fmaxf(largest[half], __shfl_xor_sync(0xffffffffu, largest[half], 2));
            float shrink = exp2f(most[half] - largest[half]);
            most[half] = largest[half];
            sum[half] *= shrink;
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                o[part][2 * half] *= shrink;
                o[part][2 * half + 1] *= shrink;
            }
        }
#pragma unroll
        for (int n = 0; n < 8; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                s[n][i] = exp2f(s[n][i] - most[i / 2]);
                sum[i / 2] += s[n][i];
            }
            if (threshold) {
                float a, b;
                int key = first + 8 * n + 2 * member;
                mask_two(drop, place, row0, key, a, b);
                s[n][0] *= a;
                s[n][1] *= b;
                mask_two(drop, place, row0 + 8, key, a, b);
                s[n][2] *= a;
                s[n][3] *= b;
            }
        }
#pragma unroll
        for (int step = 0; step < TILE / 16; step++) {
            u32 p[4] = {pack(s[2 * step][0], s[2 * step][1]), pack(s[2 * step][2], s[2 * step][3]),
                        pack(s[2 * step + 1][0], s[2 * step + 1][1]), pack(s[2 * step + 1][2], s[2 * step + 1][3])};
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                u32 b0, b1;
                transposed(values, 16 * step, 8 * part, b0, b1);
                multiply(o[part], p, b0, b1);
            }
        }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
        sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
        int row = row0 + 8 * half;
        if (row >= length) continue;
        float factor = 1.0f / sum[half];
        if (member == 0) logs[(size_t)head * rows + start + row] = most[half] + log2f(sum[half]);
        u32 *out = (u32 *)(context + (size_t)(start + row) * HIDDEN + head * HEAD);
#pragma unroll
        for (int part = 0; part < PARTS; part++)
            out[4 * part + member] = pack(o[part][2 * half] * factor, o[part][2 * half + 1] * factor);
    }
}

// For each row and head, the inner product of the context and its gradient -> deltas [heads, rows]. A warp takes a row.
extern "C" __global__ void deltas(const u32 *context, const u32 *gradient, float *out, u32 rows) {
    u32 row = blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    // HEAD / 2 lanes hold a head's pairs: half a warp or a whole one.
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
        u32 place = row * (HIDDEN / 2) + lane + 32 * i;
        u32 a = context[place], b = gradient[place];
        float product = low(a) * low(b) + high(a) * high(b);
#pragma unroll
        for (int step = HEAD / 4; step > 0; step >>= 1) product += __shfl_xor_sync(0xffffffffu, product, step);
        if (lane % (HEAD / 2) == 0) out[(size_t)((lane + 32 * i) / (HEAD / 2)) * rows + row] = product;
    }
}

// Gradients of keys and values. A block takes 64 keys, a warp 16 of them: scores stand transposed, keys by queries.
extern "C" __global__ void attend_back_keys(const bf16 *qkv, const float *bias, const bf16 *gradient, const u32 *starts, const float *logs,
                                            const float *delta, bf16 *out, u32 rows, float scale, u32 seed, u32 threshold,
                                            float keep) {
    __shared__ __align__(16) bf16 mine[TILE * WIDE], queries[TILE * WIDE], outer[TILE * WIDE];
    __shared__ float log[TILE], d[TILE];
    u32 text = blockIdx.z, head = blockIdx.y, start = starts[text];
    int length = (int)(starts[text + 1] - start), from = blockIdx.x * TILE;
    if (from >= length) return;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
    const bf16 *base = qkv + (size_t)start * 3 * HIDDEN + head * HEAD;
    u32 k[STEPS][4], v[STEPS][4];
    bias += head * HEAD;
    load(mine, base + HIDDEN + (size_t)from * 3 * HIDDEN, length - from, 3 * HIDDEN, bias + HIDDEN);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < STEPS; step++) operand(k[step], mine, 16 * warp, step, group, member);
    __syncthreads();
    load(mine, base + 2 * HIDDEN + (size_t)from * 3 * HIDDEN, length - from, 3 * HIDDEN, bias + 2 * HIDDEN);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < STEPS; step++) operand(v[step], mine, 16 * warp, step, group, member);
    float dk[PARTS][4] = {}, dv[PARTS][4] = {};
    Drop drop = {seed, threshold, keep};
    u32 place = text * gridDim.y + head;
    int key0 = from + 16 * warp + group;
    for (int first = 0; first < length; first += TILE) {
        __syncthreads();
        load(queries, base + (size_t)first * 3 * HIDDEN, length - first, 3 * HIDDEN, bias);
        load(outer, gradient + (size_t)(start + first) * HIDDEN + head * HEAD, length - first, HIDDEN, 0);
        for (int at = threadIdx.x; at < TILE; at += blockDim.x) {
            bool inside = first + at < length;
            log[at] = inside ? logs[(size_t)head * rows + start + first + at] : 1e30f;
            d[at] = inside ? delta[(size_t)head * rows + start + first + at] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int step = 0; step < TILE / 16; step++) {
            u32 p_bits[4], s_bits[4];
#pragma unroll
            for (int side = 0; side < 2; side++) {
                int n = 2 * step + side;
                float s[4] = {}, of_p[4] = {};
#pragma unroll
                for (int along = 0; along < STEPS; along++) {
                    multiply(s, k[along], two_of(queries, 8 * n + group, 16 * along + 2 * member),
                             two_of(queries, 8 * n + group, 16 * along + 2 * member + 8));
                    multiply(of_p, v[along], two_of(outer, 8 * n + group, 16 * along + 2 * member),
                             two_of(outer, 8 * n + group, 16 * along + 2 * member + 8));
                }
                float p[4], dropped[4];
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    int at = 8 * n + 2 * member + (i & 1), key = key0 + 8 * (i / 2);
                    p[i] = key < length ? exp2f(s[i] * scale - log[at]) : 0.0f;
                    float factor = 1.0f;
                    if (threshold) {
                        float a, b;
                        mask_two(drop, place, first + at, key & ~1, a, b);
                        factor = key & 1 ? b : a;
                    }
                    dropped[i] = p[i] * factor;
                    s[i] = p[i] * (of_p[i] * factor - d[at]);
                }
                p_bits[2 * side] = pack(dropped[0], dropped[1]);
                p_bits[2 * side + 1] = pack(dropped[2], dropped[3]);
                s_bits[2 * side] = pack(s[0], s[1]);
                s_bits[2 * side + 1] = pack(s[2], s[3]);
            }
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                u32 b0, b1;
                transposed(outer, 16 * step, 8 * part, b0, b1);
                multiply(dv[part], p_bits, b0, b1);
                transposed(queries, 16 * step, 8 * part, b0, b1);
                multiply(dk[part], s_bits, b0, b1);
            }
        }
    }
    // Scores are base 2 and scaled: their scale holds log2(e), which the gradient does not.
    float factor = scale / LOG2_E;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int key = key0 + 8 * half;
        if (key >= length) continue;
        u32 *row = (u32 *)(out + (size_t)(start + key) * 3 * HIDDEN + HIDDEN + head * HEAD);
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            row[4 * part + member] = pack(dk[part][2 * half] * factor, dk[part][2 * half + 1] * factor);
            row[HIDDEN / 2 + 4 * part + member] = pack(dv[part][2 * half], dv[part][2 * half + 1]);
        }
    }
}

// Gradients of queries. A block takes 64 queries, a warp 16 of them.
extern "C" __global__ void attend_back_queries(const bf16 *qkv, const float *bias, const bf16 *gradient, const u32 *starts,
                                               const float *logs, const float *delta, bf16 *out, u32 rows, float scale,
                                               u32 seed, u32 threshold, float keep) {
    __shared__ __align__(16) bf16 mine[TILE * WIDE], keys[TILE * WIDE], values[TILE * WIDE];
    u32 text = blockIdx.z, head = blockIdx.y, start = starts[text];
    int length = (int)(starts[text + 1] - start), from = blockIdx.x * TILE;
    if (from >= length) return;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
    const bf16 *base = qkv + (size_t)start * 3 * HIDDEN + head * HEAD;
    u32 q[STEPS][4], g[STEPS][4];
    bias += head * HEAD;
    load(mine, base + (size_t)from * 3 * HIDDEN, length - from, 3 * HIDDEN, bias);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < STEPS; step++) operand(q[step], mine, 16 * warp, step, group, member);
    __syncthreads();
    load(mine, gradient + (size_t)(start + from) * HIDDEN + head * HEAD, length - from, HIDDEN, 0);
    __syncthreads();
#pragma unroll
    for (int step = 0; step < STEPS; step++) operand(g[step], mine, 16 * warp, step, group, member);
    int row0 = from + 16 * warp + group;
    float log[2], d[2], dq[PARTS][4] = {};
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = row0 + 8 * half;
        log[half] = row < length ? logs[(size_t)head * rows + start + row] : 1e30f;
        d[half] = row < length ? delta[(size_t)head * rows + start + row] : 0.0f;
    }
    Drop drop = {seed, threshold, keep};
    u32 place = text * gridDim.y + head;
    for (int first = 0; first < length; first += TILE) {
        __syncthreads();
        load(keys, base + HIDDEN + (size_t)first * 3 * HIDDEN, length - first, 3 * HIDDEN, bias + HIDDEN);
        load(values, base + 2 * HIDDEN + (size_t)first * 3 * HIDDEN, length - first, 3 * HIDDEN, bias + 2 * HIDDEN);
        __syncthreads();
#pragma unroll
        for (int step = 0; step < TILE / 16; step++) {
            u32 bits[4];
#pragma unroll
            for (int side = 0; side < 2; side++) {
                int n = 2 * step + side;
                float s[4] = {}, of_p[4] = {};
#pragma unroll
                for (int along = 0; along < STEPS; along++) {
                    multiply(s, q[along], two_of(keys, 8 * n + group, 16 * along + 2 * member),
                             two_of(keys, 8 * n + group, 16 * along + 2 * member + 8));
                    multiply(of_p, g[along], two_of(values, 8 * n + group, 16 * along + 2 * member),
                             two_of(values, 8 * n + group, 16 * along + 2 * member + 8));
                }
                float mask[4] = {1.0f, 1.0f, 1.0f, 1.0f};
                int key = first + 8 * n + 2 * member;
                if (threshold) {
                    mask_two(drop, place, row0, key, mask[0], mask[1]);
                    mask_two(drop, place, row0 + 8, key, mask[2], mask[3]);
                }
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    float p = key + (i & 1) < length ? exp2f(s[i] * scale - log[i / 2]) : 0.0f;
                    s[i] = p * (of_p[i] * mask[i] - d[i / 2]);
                }
                bits[2 * side] = pack(s[0], s[1]);
                bits[2 * side + 1] = pack(s[2], s[3]);
            }
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                u32 b0, b1;
                transposed(keys, 16 * step, 8 * part, b0, b1);
                multiply(dq[part], bits, b0, b1);
            }
        }
    }
    float factor = scale / LOG2_E;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = row0 + 8 * half;
        if (row >= length) continue;
        u32 *to = (u32 *)(out + (size_t)(start + row) * 3 * HIDDEN + head * HEAD);
#pragma unroll
        for (int part = 0; part < PARTS; part++)
            to[4 * part + member] = pack(dq[part][2 * half] * factor, dq[part][2 * half + 1] * factor);
    }
}
