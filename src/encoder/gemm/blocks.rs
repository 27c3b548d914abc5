//! The loops around the kernels: blocks of k, of rows and of columns, sized for the caches and shared out to threads.

use std::cell::Cell;
use std::thread::LocalKey;

use rayon::prelude::*;

use super::kernel::{self, COLUMNS, LANES, ROWS, Tile};
use super::pack::{self, Source, Target};
use super::{Precision, Product, Strides};

/// Words of k at a time: a panel of b, 96 KiB, comes from the second cache again and again, with the block of a.
const DEPTH: usize = 512;
/// Rows of a block of a, 192 KiB, and of a thread's smallest task.
const HEIGHT: usize = 96;
/// Columns at a time, whole panels.
const WIDTH: usize = 64 * COLUMNS;
/// Words of b that are packed at a time, 4 MiB: they stay in the last cache while all rows of a meet them.
const SLAB: usize = 1 << 20;
/// Operands of at most so many numbers stay in the second cache as they are: copying them costs more than it saves.
const SMALL: usize = 1 << 16;
/// Products of fewer multiplications, about 40 µs of them, are not worth waking a thread for.
const SHARED: usize = 1 << 21;

/// The instructions that multiply.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// Numbers in a word.
    depth: usize,
    pack: unsafe fn(Source, usize, usize, Target),
    multiply: unsafe fn(&Tile),
}

impl Path {
    /// The best path of this processor for a precision; none without AVX-512.
    pub(super) fn of(precision: Precision) -> Option<Self> {
        let half = precision == Precision::Bf16
            && is_x86_feature_detected!("avx512bf16")
            && is_x86_feature_detected!("avx512bw");
        match is_x86_feature_detected!("avx512f") {
            true if half => Some(Self { depth: 2, pack: pack::half, multiply: kernel::half::multiply }),
            true => Some(Self { depth: 1, pack: pack::single, multiply: kernel::single::multiply }),
            false => None,
        }
    }

    /// Whether numbers are rounded to bf16.
    pub(super) fn halves(&self) -> bool {
        self.depth == 2
    }
}

/// Rows of `a` for the kernels: row i starts at `at + i / 16 * group + i % 16 * row`. Strides count words.
#[derive(Clone, Copy)]
struct Left {
    at: *const f32,
    group: usize,
    row: usize,
    word: usize,
}

/// Columns of `b` for the kernels: column j starts at `at + j / 48 * panel + j % 48`.
#[derive(Clone, Copy)]
struct Right {
    at: *const f32,
    panel: usize,
    /// From a word of k to the next; none where that is the width of a packed panel.
    word: Option<usize>,
}

/// A part of the product between two rows, two columns and some words of k.
struct Part {
    rows: (usize, usize),
    columns: (usize, usize),
    words: usize,
    /// The part begins at the first word: what was in `out` is kept as asked, and the bias is added.
    first: bool,
}

/// # Safety
///
/// The product's pointers must hold its shape, and `out` must overlap no other operand.
pub(super) unsafe fn multiply(path: &Path, product: &Product, parallel: bool) {
    let mut product = *product;
    let (m, k, n) = product.shape;
    if product.of_out.column != 1 && product.of_out.row == 1 && product.bias.is_null() {
        // Columns one after the other: outᵀ = bᵀ aᵀ.
        let (a, of_a) = (product.a, product.of_a);
        product.shape = (n, k, m);
        product.of_out = product.of_out.transposed();
        (product.a, product.of_a) = (product.b, product.of_b.transposed());
        (product.b, product.of_b) = (a, of_a.transposed());
    }
    // SAFETY: as the caller promises.
    unsafe {
        let threads = if parallel && m * n * k >= SHARED { rayon::current_num_threads() } else { 1 };
        // One block of k is summed in one order in place and packed, so that the threads may choose between them.
        let in_one = path.depth == 1 && k <= DEPTH;
        if k == 0 || threads == 1 && in_one && m * k <= SMALL && k * n <= SMALL {
            in_place(path, &product);
        } else {
            in_blocks(path, &product, threads);
        }
    }
}

/// Small operands are read where they are, but for a `b` whose columns are not side by side.
unsafe fn in_place(path: &Path, product: &Product) {
    let (m, k, n) = product.shape;
    let (of_a, of_b) = (product.of_a, product.of_b);
    let left = Left { at: product.a, group: LANES * of_a.row, row: of_a.row, word: of_a.column };
    let part = Part { rows: (0, m), columns: (0, n), words: k, first: true };
    // SAFETY: the views are of whole operands.
    unsafe {
        if of_b.column == 1 {
            run(path, product, &part, left, Right { at: product.b, panel: COLUMNS, word: Some(of_b.row) });
        } else {
            with_buffer(&BLOCK, k * n.next_multiple_of(LANES), |buffer| {
                for panel in 0..n.div_ceil(COLUMNS) {
                    pack_panel(path, product, (0, n), panel, (0, k), buffer);
                }
                run(path, product, &part, left, Right { at: buffer, panel: COLUMNS * k, word: None });
            });
        }
    }
}

/// The five loops around the kernel: columns, slabs of k, rows; in each the blocks of k; panels and tiles in [`run`].
unsafe fn in_blocks(path: &Path, product: &Product, threads: usize) {
    let (m, k, n) = product.shape;
    let words = k.div_ceil(path.depth);
    let depth = words.div_ceil(words.div_ceil(DEPTH)).next_multiple_of(LANES);
    for column in (0..n).step_by(WIDTH) {
        let columns = (column, n.min(column + WIDTH));
        let width = (columns.1 - column).next_multiple_of(LANES);
        let panels = width.div_ceil(COLUMNS);
        let slab = (SLAB / width / depth).max(1) * depth;
        // Few rows: columns are shared out too.
        let bands = m.div_ceil(HEIGHT);
        let strips = if threads == 1 { 1 } else { (2 * threads).div_ceil(bands).min(panels) };
        for word in (0..words).step_by(slab) {
            let slab = (word, words.min(word + slab));
            let count = slab.1 - word;
            with_buffer(&SLABS, count * width, |buffer| {
                let buffer = Shared(buffer);
                share_out(threads, panels, |panel| {
                    // SAFETY: the buffer holds all panels of the slab, and each task writes its own.
                    unsafe { pack_panel(path, product, columns, panel, slab, buffer.get()) };
                });
                share_out(threads, bands * strips, |task| {
                    let (band, strip) = (task / strips, task % strips);
                    let (start, end) = (strip * panels / strips, (strip + 1) * panels / strips);
                    let rows = (band * HEIGHT, m.min((band + 1) * HEIGHT));
                    let columns = (column + start * COLUMNS, columns.1.min(column + end * COLUMNS));
                    let right = buffer.get().wrapping_add(start * COLUMNS * count);
                    // SAFETY: the panels from `start` on are packed; no two tasks have the same rows and columns.
                    unsafe { run_slab(path, product, rows, columns, slab, depth, right) };
                });
            });
        }
    }
}

/// The blocks of k of one slab for some rows and columns: packs a's block and runs the kernels over it.
unsafe fn run_slab(
    path: &Path,
    product: &Product,
    rows: (usize, usize),
    columns: (usize, usize),
    slab: (usize, usize),
    depth: usize,
    right: *const f32,
) {
    let source = Source { at: product.a, lane: product.of_a.row, k: product.of_a.column };
    let groups = (rows.1 - rows.0).div_ceil(LANES);
    let panel = COLUMNS * (slab.1 - slab.0);
    with_buffer(&BLOCK, groups * LANES * (depth + 1), |buffer| {
        for word in (slab.0..slab.1).step_by(depth) {
            let words = depth.min(slab.1 - word);
            let first = word * path.depth;
            let k = (words * path.depth).min(product.shape.1 - first);
            // A line between groups, lest they all begin at the same place of the first cache.
            let group = LANES * (words + 1);
            let target = Target { at: buffer, group, word: LANES };
            let left = Left { at: buffer, group, row: 1, word: LANES };
            let part = Part { rows, columns, words, first: word == 0 };
            // SAFETY: the rows and k are within a, the buffer holds them, and so does the caller's packed b.
            unsafe {
                (path.pack)(source.from(rows.0, first), rows.1 - rows.0, k, target);
                run_at(path, product, &part, left, right, panel, word - slab.0);
            }
        }
    });
}

/// [`run`] with packed panels from one of their words on.
unsafe fn run_at(
    path: &Path,
    product: &Product,
    part: &Part,
    left: Left,
    right: *const f32,
    panel: usize,
    word: usize,
) {
    // A panel's words are as wide as the panel, and the last one may be narrower.
    let (start, end) = part.columns;
    let full = (end - start) / COLUMNS * COLUMNS;
    // SAFETY: as `run`'s.
    unsafe {
        if full > 0 {
            let part = Part { columns: (start, start + full), ..*part };
            run(path, product, &part, left, Right { at: right.add(word * COLUMNS), panel, word: None });
        }
        if start + full < end {
            let width = (end - start - full).next_multiple_of(LANES);
            let at = right.add(full / COLUMNS * panel + word * width);
            let part = Part { columns: (start + full, end), ..*part };
            run(path, product, &part, left, Right { at, panel, word: None });
        }
    }
}

/// Packs one panel of b: 48 columns, or the last ones in whole vectors, by the words of a slab.
unsafe fn pack_panel(
    path: &Path,
    product: &Product,
    columns: (usize, usize),
    panel: usize,
    slab: (usize, usize),
    buffer: *mut f32,
) {
    let source = Source { at: product.b, lane: product.of_b.column, k: product.of_b.row };
    let start = columns.0 + panel * COLUMNS;
    let count = COLUMNS.min(columns.1 - start);
    let first = slab.0 * path.depth;
    let k = product.shape.1.min(slab.1 * path.depth) - first;
    let at = buffer.wrapping_add(panel * COLUMNS * (slab.1 - slab.0));
    let target = Target { at, group: LANES, word: count.next_multiple_of(LANES) };
    // SAFETY: the columns and k are within b, and the caller's buffer holds the panel.
    unsafe { (path.pack)(source.from(start, first), count, k, target) };
}

/// Runs the kernel over the tiles of a part: a panel of b stays while the rows of a pass by.
///
/// # Safety
///
/// `left` must hold the part's rows from its first on, `right` its columns, both its words.
unsafe fn run(path: &Path, product: &Product, part: &Part, left: Left, right: Right) {
    let Part { rows, columns, words, first } = *part;
    let Product { out, of_out, scale, bias, .. } = *product;
    let keep = if first { product.keep } else { 1.0 };
    let bias = if first { bias } else { std::ptr::null() };
    for column in (columns.0..columns.1).step_by(COLUMNS) {
        let count = COLUMNS.min(columns.1 - column);
        let b = right.at.wrapping_add((column - columns.0) / COLUMNS * right.panel);
        for row in (0..rows.1 - rows.0).step_by(ROWS) {
            let tile = Tile {
                a: left.at.wrapping_add(row / LANES * left.group + row % LANES * left.row),
                a_row: left.row,
                a_word: left.word,
                b,
                b_word: right.word.unwrap_or(count.next_multiple_of(LANES)),
                words,
                out: out.wrapping_add((rows.0 + row) * of_out.row + column * of_out.column),
                out_row: of_out.row,
                rows: ROWS.min(rows.1 - rows.0 - row),
                columns: count,
                keep,
                scale,
                bias: if bias.is_null() { bias } else { bias.wrapping_add(column) },
            };
            // SAFETY: rows and columns are within the part's, which the views and `out` hold.
            unsafe { if of_out.column == 1 { (path.multiply)(&tile) } else { scattered(path, &tile, of_out) } }
        }
    }
}

/// A tile of a result whose columns are not side by side: it is multiplied elsewhere and added number by number.
#[cold]
unsafe fn scattered(path: &Path, tile: &Tile, of_out: Strides) {
    let mut values = [0.0_f32; ROWS * COLUMNS];
    let apart = Tile { out: values.as_mut_ptr(), out_row: COLUMNS, keep: 0.0, ..*tile };
    // SAFETY: `values` holds any tile, `out` this one.
    unsafe {
        (path.multiply)(&apart);
        for row in 0..tile.rows {
            for column in 0..tile.columns {
                let out = tile.out.add(row * of_out.row + column * of_out.column);
                let value = values[row * COLUMNS + column];
                *out = if tile.keep == 0.0 { value } else { tile.keep.mul_add(*out, value) };
            }
        }
    }
}

/// Does every task, on this thread or on rayon's.
fn share_out(threads: usize, tasks: usize, task: impl Fn(usize) + Sync + Send) {
    if threads == 1 || tasks == 1 {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// A buffer that several tasks write, each its own part.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

impl Shared {
    fn get(self) -> *mut f32 {
        self.0
    }
}

// SAFETY: tasks write different parts of the buffer and read it after all of them are written.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// 16 numbers in one line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

thread_local! {
    /// Packed rows of a, or the whole of a small b.
    static BLOCK: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    /// Packed panels of b.
    static SLABS: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Lends a buffer that this thread uses again and again, of at least so many numbers and of any content. It is taken
/// away meanwhile: a thread that waits for others may begin another product, which then makes its own.
fn with_buffer(key: &'static LocalKey<Cell<Vec<Line>>>, numbers: usize, run: impl FnOnce(*mut f32)) {
    let mut lines = key.take();
    if lines.len() * LANES < numbers {
        lines.resize(numbers.div_ceil(LANES), Line([0.0; LANES]));
    }
    run(lines.as_mut_ptr().cast());
    key.set(lines);
}
