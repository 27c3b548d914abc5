//! What is done to rows between matrix products, each in one pass over memory: bias, dropout, residual and `LayerNorm`
//! together; bias and GELU together; the same backwards, with the sums over rows on the way.
//!
//! Rows are taken in blocks, blocks in parallel. A block's sums stand in a row of their own and are added up in the order
//! of the blocks, so that a result never depends on which thread was faster.

use rayon::prelude::*;

use crate::encoder::lanes::{Lanes, Sieve, vectorized};

/// Rows of a block: one of 384 values a row fits the first cache, one of 1,536 the second.
const BLOCK: usize = 32;

/// Dropout over rows: what falls through, and each row's place in the padded batch.
///
/// The places are those of the padded layout whatever the layout here is, so that every version drops the same values.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSieve<'a> {
    pub(super) sieve: Option<Sieve>,
    pub(super) places: &'a [u32],
}

impl RowSieve<'_> {
    fn block(self, block: usize) -> Self {
        let from = block * BLOCK;
        Self { places: &self.places[from..(from + BLOCK).min(self.places.len())], ..self }
    }
}

/// A `LayerNorm`'s parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm<'a> {
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) epsilon: f32,
}

/// What a `LayerNorm` leaves for the way back: its rows centred and scaled, and by what they were scaled.
#[derive(Debug)]
pub(super) struct Normal<'a> {
    pub(super) rows: &'a mut [f32],
    pub(super) inverse: &'a mut [f32],
}

/// Blocks that rows are cut into.
pub(super) const fn blocks(rows: usize) -> usize {
    rows.div_ceil(BLOCK)
}

/// `y = LayerNorm(dropout(dense + bias) + residual)`.
pub(super) fn residual_norm(
    dense: &[f32],
    bias: &[f32],
    residual: &[f32],
    norm: Norm<'_>,
    sieve: RowSieve<'_>,
    normal: &mut Normal<'_>,
    y: &mut [f32],
) {
    let chunk = BLOCK * bias.len();
    y.par_chunks_mut(chunk)
        .zip(normal.rows.par_chunks_mut(chunk))
        .zip(normal.inverse.par_chunks_mut(BLOCK))
        .zip(dense.par_chunks(chunk).zip(residual.par_chunks(chunk)))
        .enumerate()
        .for_each(|(block, (((y, rows), inverse), (dense, residual)))| {
            residual_norm_block(dense, bias, residual, norm, sieve.block(block), &mut Normal { rows, inverse }, y);
        });
}

vectorized! {
    pub(super) fn residual_norm_block(
        l: Lanes,
        dense: &[f32],
        bias: &[f32],
        residual: &[f32],
        norm: Norm<'_>,
        sieve: RowSieve<'_>,
        normal: &mut Normal<'_>,
        y: &mut [f32],
    ) {
        let width = bias.len();
        for (row, place) in sieve.places.iter().enumerate() {
            let at = row * width;
            let (dense, residual) = (&dense[at..at + width], &residual[at..at + width]);
            let (y, rows) = (&mut y[at..at + width], &mut normal.rows[at..at + width]);
            for at in (0..width).step_by(L::COUNT) {
                let mut value = l.add(l.load(dense, at), l.load(bias, at));
                if let Some(sieve) = sieve.sieve {
                    value = l.mul(value, l.sift(sieve, u64::from(*place) * width as u64 + at as u64));
                }
                l.store(rows, at, l.add(value, l.load(residual, at)));
            }
            normal.inverse[row] = normalize(l, rows, norm, y);
        }
    }
}

/// Centres and scales a row in place, and puts it times the weight plus the bias into `y`; what it was scaled by.
#[inline(always)]
#[allow(clippy::inline_always)] // a call would forget which registers it may use
fn normalize<L: Lanes>(l: L, row: &mut [f32], norm: Norm<'_>, y: &mut [f32]) -> f32 {
    let width = row.len();
    let mut sum = l.splat(0.0);
    for at in (0..width).step_by(L::COUNT) {
        sum = l.add(sum, l.load(row, at));
    }
    let mean = l.sum(sum) / width as f32;
    let (centre, mut squares) = (l.splat(mean), l.splat(0.0));
    for at in (0..width).step_by(L::COUNT) {
        let off = l.sub(l.load_or(row, at, mean), centre);
        squares = l.mul_add(off, off, squares);
    }
    let inverse = 1.0 / (l.sum(squares) / width as f32 + norm.epsilon).sqrt();
    let scale = l.splat(inverse);
    for at in (0..width).step_by(L::COUNT) {
        let normal = l.mul(l.sub(l.load(row, at), centre), scale);
        l.store(row, at, normal);
        l.store(y, at, l.mul_add(normal, l.load(norm.weight, at), l.load(norm.bias, at)));
    }
    inverse
}

/// The embeddings' tables and the tokens that look into them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) words: &'a [f32],
    pub(super) positions: &'a [f32],
    pub(super) kind: &'a [f32],
    pub(super) ids: &'a [u32],
    pub(super) at: &'a [u32],
}

/// `y = dropout(LayerNorm(word + position + type))`.
pub(super) fn embed(tables: Tables<'_>, norm: Norm<'_>, sieve: RowSieve<'_>, normal: &mut Normal<'_>, y: &mut [f32]) {
    let chunk = BLOCK * norm.bias.len();
    y.par_chunks_mut(chunk)
        .zip(normal.rows.par_chunks_mut(chunk))
        .zip(normal.inverse.par_chunks_mut(BLOCK))
        .enumerate()
        .for_each(|(block, ((y, rows), inverse))| {
            let tables = Tables { ids: &tables.ids[block * BLOCK..], at: &tables.at[block * BLOCK..], ..tables };
            embed_block(tables, norm, sieve.block(block), &mut Normal { rows, inverse }, y);
        });
}

vectorized! {
    fn embed_block(
        l: Lanes,
        tables: Tables<'_>,
        norm: Norm<'_>,
        sieve: RowSieve<'_>,
        normal: &mut Normal<'_>,
        y: &mut [f32],
    ) {
        let width = norm.bias.len();
        for (row, place) in sieve.places.iter().enumerate() {
            let word = &tables.words[tables.ids[row] as usize * width..][..width];
            let position = &tables.positions[tables.at[row] as usize * width..][..width];
            let at = row * width;
            let (y, rows) = (&mut y[at..at + width], &mut normal.rows[at..at + width]);
            for at in (0..width).step_by(L::COUNT) {
                let sum = l.add(l.add(l.load(word, at), l.load(position, at)), l.load(tables.kind, at));
                l.store(rows, at, sum);
            }
            normal.inverse[row] = normalize(l, rows, norm, y);
            if let Some(sieve) = sieve.sieve {
                for at in (0..width).step_by(L::COUNT) {
                    let factors = l.sift(sieve, u64::from(*place) * width as u64 + at as u64);
                    l.store(y, at, l.mul(l.load(y, at), factors));
                }
            }
        }
    }
}

/// Makes a `LayerNorm`'s output again from what it left: `y = dropout(normal weight + bias)`.
pub(super) fn renew(rows: &[f32], norm: Norm<'_>, sieve: RowSieve<'_>, y: &mut [f32]) {
    let chunk = BLOCK * norm.bias.len();
    y.par_chunks_mut(chunk).zip(rows.par_chunks(chunk)).enumerate().for_each(|(block, (y, rows))| {
        renew_block(rows, norm, sieve.block(block), y);
    });
}

vectorized! {
    fn renew_block(l: Lanes, rows: &[f32], norm: Norm<'_>, sieve: RowSieve<'_>, y: &mut [f32]) {
        let width = norm.bias.len();
        for (row, place) in sieve.places.iter().enumerate() {
            let start = row * width;
            let (rows, y) = (&rows[start..start + width], &mut y[start..start + width]);
            for at in (0..width).step_by(L::COUNT) {
                let mut value = l.mul_add(l.load(rows, at), l.load(norm.weight, at), l.load(norm.bias, at));
                if let Some(sieve) = sieve.sieve {
                    value = l.mul(value, l.sift(sieve, u64::from(*place) * width as u64 + at as u64));
                }
                l.store(y, at, value);
            }
        }
    }
}

/// Sums over the rows of one pass: for a `LayerNorm`'s weight, for its bias, and for the bias that is added before it.
#[derive(Debug)]
pub(super) struct NormSums<'a> {
    pub(super) weight: &'a mut [f32],
    pub(super) bias: &'a mut [f32],
    pub(super) before: &'a mut [f32],
}

/// Where dropout stands about a `LayerNorm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// On one of the summands before it.
    Before,
    /// On its output.
    After,
}

/// Goes back through a `LayerNorm`: the gradient of its output becomes, in place, that of its input, and in `dense` that of
/// the summand that dropout fell on. `partial` has room for three rows a block.
#[allow(clippy::too_many_arguments)]
pub(super) fn norm_backward(
    gradient: &mut [f32],
    dense: &mut [f32],
    rows: &[f32],
    inverse: &[f32],
    norm: Norm<'_>,
    (sieve, dropped): (RowSieve<'_>, Dropped),
    partial: &mut [f32],
    sums: &mut NormSums<'_>,
) {
    let width = norm.bias.len();
    let chunk = BLOCK * width;
    gradient
        .par_chunks_mut(chunk)
        .zip(dense.par_chunks_mut(chunk))
        .zip(rows.par_chunks(chunk).zip(inverse.par_chunks(BLOCK)))
        .zip(partial.par_chunks_mut(3 * width))
        .enumerate()
        .for_each(|(block, (((gradient, dense), (rows, inverse)), partial))| {
            norm_backward_block(gradient, dense, rows, inverse, norm, sieve.block(block), dropped, partial);
        });
    for partial in partial[..blocks(inverse.len()) * 3 * width].chunks_exact(3 * width) {
        add(sums.weight, &partial[..width]);
        add(sums.bias, &partial[width..2 * width]);
        add(sums.before, &partial[2 * width..]);
    }
}

vectorized! {
    /// With n = (x - mean) / deviation and g the gradient times the weight: `dx = (g - mean(g) - n mean(g n)) / deviation`.
    fn norm_backward_block(
        l: Lanes,
        gradient: &mut [f32],
        dense: &mut [f32],
        rows: &[f32],
        inverse: &[f32],
        norm: Norm<'_>,
        sieve: RowSieve<'_>,
        dropped: Dropped,
        partial: &mut [f32],
    ) {
        let width = norm.bias.len();
        partial.fill(0.0);
        let (of_weight, rest) = partial.split_at_mut(width);
        let (of_bias, of_before) = rest.split_at_mut(width);
        for (row, place) in sieve.places.iter().enumerate() {
            let start = row * width;
            let place = u64::from(*place) * width as u64;
            let (gradient, dense) = (&mut gradient[start..start + width], &mut dense[start..start + width]);
            let rows = &rows[start..start + width];
            if let (Some(sieve), Dropped::After) = (sieve.sieve, dropped) {
                for at in (0..width).step_by(L::COUNT) {
                    l.store(gradient, at, l.mul(l.load(gradient, at), l.sift(sieve, place + at as u64)));
                }
            }
            let (mut sum, mut along) = (l.splat(0.0), l.splat(0.0));
            for at in (0..width).step_by(L::COUNT) {
                let (given, normal) = (l.load(gradient, at), l.load(rows, at));
                let scaled = l.mul(given, l.load(norm.weight, at));
                sum = l.add(sum, scaled);
                along = l.mul_add(scaled, normal, along);
                l.store(of_weight, at, l.mul_add(given, normal, l.load(of_weight, at)));
                l.store(of_bias, at, l.add(given, l.load(of_bias, at)));
            }
            let mean = l.splat(l.sum(sum) / width as f32);
            let mean_along = l.splat(l.sum(along) / width as f32);
            let inverse = l.splat(inverse[row]);
            for at in (0..width).step_by(L::COUNT) {
                let scaled = l.mul(l.load(gradient, at), l.load(norm.weight, at));
                let off = l.sub(l.sub(scaled, mean), l.mul(l.load(rows, at), mean_along));
                let value = l.mul(inverse, off);
                l.store(gradient, at, value);
                let mut before = value;
                if let (Some(sieve), Dropped::Before) = (sieve.sieve, dropped) {
                    before = l.mul(value, l.sift(sieve, place + at as u64));
                }
                l.store(of_before, at, l.add(before, l.load(of_before, at)));
                if dropped == Dropped::Before {
                    l.store(dense, at, before);
                }
            }
        }
    }
}

vectorized! {
    /// `to += from`
    pub(super) fn add(l: Lanes, to: &mut [f32], from: &[f32]) {
        for at in (0..to.len()).step_by(L::COUNT) {
            l.store(to, at, l.add(l.load(to, at), l.load(from, at)));
        }
    }
}

/// Adds each row of `gradient` to the row of `table` that its id names; rows in order, so that sums are always the same.
pub(super) fn scatter(table: &mut [f32], ids: &[u32], gradient: &[f32], width: usize) {
    // Each thread looks at every id and takes those of its part of the table.
    let part = (table.len() / width).div_ceil(4 * rayon::current_num_threads()).max(1);
    table.par_chunks_mut(part * width).enumerate().for_each(|(number, table)| {
        let mine = number * part..(number + 1) * part;
        for (id, row) in ids.iter().zip(gradient.chunks_exact(width)) {
            if mine.contains(&(*id as usize)) {
                add(&mut table[(*id as usize - mine.start) * width..][..width], row);
            }
        }
    });
}
