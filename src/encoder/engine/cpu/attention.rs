//! Scaled dot-product attention (Vaswani et al. 2017), one head of one text at a time.
//!
//! Probabilities are not kept: the way back makes them again from the logarithm of each row's sum of exponentials (Dao et
//! al. 2022). A task copies its head's queries, keys and values out of the wide rows, adds their biases on the way, and
//! works on a block of query rows whose scores stay in the cache.

#![allow(unsafe_code)] // heads write to columns of the same rows

use std::cell::RefCell;

use rayon::prelude::*;

use super::products::Products;
use super::rows::add;
use crate::encoder::lanes::{Sieve, vectorized};
use crate::encoder::ops::Heads;

/// Scores of a block of query rows.
const SCORES: usize = 1 << 14;

/// The texts of a batch, and how attention looks at them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention<'a> {
    pub(super) lengths: &'a [usize],
    pub(super) starts: &'a [usize],
    pub(super) heads: Heads,
    /// Biases of queries, keys and values, one after the other.
    pub(super) bias: &'a [f32],
    pub(super) sieve: Option<Sieve>,
    pub(super) products: Products,
}

/// A matrix whose columns are written by several threads.
struct Columns {
    values: *mut f32,
    count: usize,
    width: usize,
}

// SAFETY: threads get at the values only through `segment`, whose callers keep apart.
unsafe impl Sync for Columns {}

impl Columns {
    fn of(values: &mut [f32], width: usize) -> Self {
        Self { values: values.as_mut_ptr(), count: values.len(), width }
    }

    /// A part of a row.
    ///
    /// # Safety
    /// No other thread holds a part that overlaps.
    #[allow(clippy::mut_from_ref)] // that is what it is for
    unsafe fn segment(&self, row: usize, from: usize, width: usize) -> &mut [f32] {
        let at = row * self.width + from;
        assert!(from + width <= self.width && at + width <= self.count, "a segment of the matrix");
        // SAFETY: within the matrix, by the assertion; alone, by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.values.add(at), width) }
    }
}

thread_local! {
    /// What a thread's tasks compute in.
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends pieces of this thread's room, which grows once.
fn with_room<const N: usize>(counts: [usize; N], work: impl FnOnce([&mut [f32]; N])) {
    ROOM.with_borrow_mut(|room| {
        let needed: usize = counts.iter().map(|count| super::arena::padded(*count)).sum();
        if room.len() < needed {
            room.resize(needed, 0.0);
        }
        let mut rest = room.as_mut_slice();
        work(counts.map(|count| {
            let (piece, tail) = std::mem::take(&mut rest).split_at_mut(super::arena::padded(count));
            rest = tail;
            &mut piece[..count]
        }));
    });
}

/// Cuts values by heads of texts: `width` values a row of each.
fn per_head<'a>(values: &'a mut [f32], lengths: &[usize], heads: usize) -> Vec<&'a mut [f32]> {
    let mut rest = values;
    let mut all = Vec::with_capacity(lengths.len() * heads);
    for length in lengths.iter().flat_map(|length| std::iter::repeat_n(*length, heads)) {
        let (piece, tail) = std::mem::take(&mut rest).split_at_mut(length);
        rest = tail;
        all.push(piece);
    }
    all
}

/// The place in the dropout mask of a head's first probability in a query's row, as in the composed version.
const fn place(task: usize, row: usize) -> u64 {
    ((task as u64) << 32) + ((row as u64) << 16)
}

impl Attention<'_> {
    fn hidden(&self) -> usize {
        self.heads.count * self.heads.width
    }

    fn scale(&self) -> f32 {
        1.0 / (self.heads.width as f32).sqrt()
    }

    /// Query rows whose scores a block holds.
    const fn block(length: usize) -> usize {
        let rows = SCORES / length;
        let rows = if rows < 16 { 16 } else { rows };
        if rows < length { rows } else { length }
    }

    /// Query (0), key (1) or value (2) of one head of one text, with its bias, times `scale`.
    fn gather(&self, out: &mut [f32], qkv: &[f32], which: usize, task: usize, scale: f32) {
        let (text, head) = (task / self.heads.count, task % self.heads.count);
        let column = which * self.hidden() + head * self.heads.width;
        let rows = &qkv[self.starts[text] * 3 * self.hidden()..];
        gather(out, rows, 3 * self.hidden(), column, &self.bias[column..column + self.heads.width], scale);
    }

    /// Rows of queries, keys and values `[rows, 3 hidden]` to mixed values `[rows, hidden]`, and the logarithms of the
    /// sums, `[texts, heads, rows of the text]`.
    pub(super) fn forward(&self, qkv: &[f32], mixed: &mut [f32], logarithms: &mut [f32]) {
        let width = self.heads.width;
        let mixed = Columns::of(mixed, self.hidden());
        let mut tasks = per_head(logarithms, self.lengths, self.heads.count);
        tasks.par_iter_mut().enumerate().for_each(|(task, logarithms)| {
            let (text, head) = (task / self.heads.count, task % self.heads.count);
            let length = self.lengths[text];
            let block = Self::block(length);
            let counts = [length * width, length * width, length * width, block * length, block * width];
            with_room(counts, |[query, key, value, scores, out]| {
                self.gather(query, qkv, 0, task, self.scale());
                self.gather(key, qkv, 1, task, 1.0);
                self.gather(value, qkv, 2, task, 1.0);
                for from in (0..length).step_by(block) {
                    let rows = block.min(length - from);
                    let scores = &mut scores[..rows * length];
                    self.products.by_transposed((rows, width, length), scores, &query[from * width..], key);
                    let place = place(task, from);
                    softmax(scores, &mut logarithms[from..from + rows], self.sieve, place);
                    let out = &mut out[..rows * width];
                    self.products.plain((rows, length, width), out, 0.0, scores, value, 1.0);
                    for (row, out) in out.chunks_exact(width).enumerate() {
                        // SAFETY: this task alone has this head's columns of this text's rows.
                        let to = unsafe { mixed.segment(self.starts[text] + from + row, head * width, width) };
                        to.copy_from_slice(out);
                    }
                }
            });
        });
    }

    /// With P the probabilities, M the dropout factors, D = P∘M and O = D V: `dV = Dᵀ dO`, `dP = (dO Vᵀ)∘M`,
    /// `dS = P∘(dP - rowsum(dO∘O))`, `dQ = dS K scale`, `dK = dSᵀ Q scale`. `sum` gets the sums of all three over rows;
    /// `partial` has room for those of each task.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn backward(
        &self,
        qkv: &[f32],
        mixed: &[f32],
        logarithms: &[f32],
        gradient: &[f32],
        of_qkv: &mut [f32],
        partial: &mut [f32],
        sum: &mut [f32],
    ) {
        let (hidden, width, heads) = (self.hidden(), self.heads.width, self.heads.count);
        let of_qkv = Columns::of(of_qkv, 3 * hidden);
        let tasks = self.lengths.len() * heads;
        let partial = &mut partial[..tasks * 3 * width];
        partial.par_chunks_exact_mut(3 * width).enumerate().for_each(|(task, partial)| {
            let (text, head) = (task / heads, task % heads);
            let (length, start) = (self.lengths[text], self.starts[text]);
            let block = Self::block(length);
            let (tall, square) = (length * width, block * length);
            let counts = [tall, tall, tall, tall, tall, tall, tall, square, square, length];
            with_room(counts, |[query, key, value, given, dq, dk, dv, scores, of_scores, along]| {
                self.gather(query, qkv, 0, task, self.scale());
                self.gather(key, qkv, 1, task, 1.0);
                self.gather(value, qkv, 2, task, 1.0);
                let from = start * hidden;
                gather_given(given, along, &gradient[from..], &mixed[from..], hidden, head * width);
                let logarithms = &logarithms[start * heads + head * length..][..length];
                for from in (0..length).step_by(block) {
                    let rows = block.min(length - from);
                    let scores = &mut scores[..rows * length];
                    let of_scores = &mut of_scores[..rows * length];
                    let (query, given) = (&query[from * width..], &given[from * width..]);
                    self.products.by_transposed((rows, width, length), scores, query, key);
                    self.products.by_transposed((rows, width, length), of_scores, given, value);
                    let place = place(task, from);
                    let (logarithms, along) = (&logarithms[from..from + rows], &along[from..from + rows]);
                    softmax_backward(scores, of_scores, logarithms, along, self.sieve, place);
                    let keep = if from == 0 { 0.0 } else { 1.0 };
                    self.products.transposed_by((length, rows, width), dv, keep, scores, given);
                    self.products.transposed_by((length, rows, width), dk, keep, of_scores, query);
                    let dq = &mut dq[from * width..][..rows * width];
                    self.products.plain((rows, length, width), dq, 0.0, of_scores, key, self.scale());
                }
                partial.fill(0.0);
                for (which, values) in [dq, dk, dv].into_iter().enumerate() {
                    let sum = &mut partial[which * width..][..width];
                    for (row, values) in values.chunks_exact(width).enumerate() {
                        // SAFETY: this task alone has this head's columns of this text's rows.
                        let to = unsafe { of_qkv.segment(start + row, which * hidden + head * width, width) };
                        to.copy_from_slice(values);
                        add(sum, values);
                    }
                }
            });
        });
        for (task, partial) in partial.chunks_exact(3 * width).enumerate() {
            for (which, partial) in partial.chunks_exact(width).enumerate() {
                add(&mut sum[which * hidden + task % heads * width..][..width], partial);
            }
        }
    }
}

vectorized! {
    /// Takes the columns from `column` on, as many as `bias` has, of rows `stride` apart: `(x + bias) scale`.
    fn gather(l: Lanes, out: &mut [f32], rows: &[f32], stride: usize, column: usize, bias: &[f32], scale: f32) {
        let width = bias.len();
        let scale = l.splat(scale);
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let from = &rows[row * stride + column..][..width];
            for at in (0..width).step_by(L::COUNT) {
                l.store(out, at, l.mul(l.add(l.load(from, at), l.load(bias, at)), scale));
            }
        }
    }
}

vectorized! {
    /// Takes the columns of the gradient of mixed values, and multiplies each row by that of the mixed values: the share of
    /// the gradient that softmax takes away.
    fn gather_given(
        l: Lanes,
        given: &mut [f32],
        along: &mut [f32],
        gradient: &[f32],
        mixed: &[f32],
        stride: usize,
        column: usize,
    ) {
        let width = given.len() / along.len();
        for (row, (given, along)) in given.chunks_exact_mut(width).zip(along).enumerate() {
            let from = row * stride + column;
            let (gradient, mixed) = (&gradient[from..from + width], &mixed[from..from + width]);
            let mut sum = l.splat(0.0);
            for at in (0..width).step_by(L::COUNT) {
                let value = l.load(gradient, at);
                sum = l.mul_add(value, l.load(mixed, at), sum);
                l.store(given, at, value);
            }
            *along = l.sum(sum);
        }
    }
}

vectorized! {
    /// Softmax of each row, in place, with dropout; the logarithm of each row's sum of exponentials.
    fn softmax(l: Lanes, scores: &mut [f32], logarithms: &mut [f32], sieve: Option<Sieve>, place: u64) {
        let width = scores.len() / logarithms.len();
        for (row, (scores, logarithm)) in scores.chunks_exact_mut(width).zip(logarithms).enumerate() {
            let mut largest = l.splat(f32::NEG_INFINITY);
            for at in (0..width).step_by(L::COUNT) {
                largest = l.max(largest, l.load_or(scores, at, f32::NEG_INFINITY));
            }
            let largest = l.largest(largest);
            let (shift, mut sum) = (l.splat(largest), l.splat(0.0));
            for at in (0..width).step_by(L::COUNT) {
                let value = l.exp(l.sub(l.load_or(scores, at, f32::NEG_INFINITY), shift));
                sum = l.add(sum, value);
                l.store(scores, at, value);
            }
            let sum = l.sum(sum);
            *logarithm = largest + sum.ln();
            let factor = l.splat(1.0 / sum);
            let place = place + ((row as u64) << 16);
            for at in (0..width).step_by(L::COUNT) {
                let mut value = l.mul(l.load(scores, at), factor);
                if let Some(sieve) = sieve {
                    value = l.mul(value, l.sift(sieve, place + at as u64));
                }
                l.store(scores, at, value);
            }
        }
    }
}

vectorized! {
    /// Scores become probabilities after dropout, and the gradient of those becomes that of the scores.
    fn softmax_backward(
        l: Lanes,
        scores: &mut [f32],
        gradient: &mut [f32],
        logarithms: &[f32],
        along: &[f32],
        sieve: Option<Sieve>,
        place: u64,
    ) {
        let width = scores.len() / logarithms.len();
        let rows = scores.chunks_exact_mut(width).zip(gradient.chunks_exact_mut(width));
        for (row, (scores, gradient)) in rows.enumerate() {
            let (shift, along) = (l.splat(logarithms[row]), l.splat(along[row]));
            let place = place + ((row as u64) << 16);
            for at in (0..width).step_by(L::COUNT) {
                let probability = l.exp(l.sub(l.load(scores, at), shift));
                let mut given = l.load(gradient, at);
                let mut kept = probability;
                if let Some(sieve) = sieve {
                    let factors = l.sift(sieve, place + at as u64);
                    kept = l.mul(probability, factors);
                    given = l.mul(given, factors);
                }
                l.store(scores, at, kept);
                l.store(gradient, at, l.mul(probability, l.sub(given, along)));
            }
        }
    }
}
