//! Where the rows of a batch are, and which of them belong together.

use candle_core::Result;

use super::device::Buffer;
use super::{Engine, SINGLE};
use crate::encoder::Pooling;
use crate::encoder::engine::Input;

/// Where the rows of a batch are. All of it is sent to the GPU at once.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) rows: usize,
    pub(super) texts: usize,
    pub(super) longest: usize,
    pub(super) ids: u64,
    pub(super) positions: u64,
    pub(super) starts: u64,
    pub(super) text_of: u64,
    pub(super) weights: u64,
    /// Rows by their token, and by their position, for the way back.
    pub(super) by_word: Sorted,
    pub(super) by_position: Sorted,
    _values: Buffer,
}

/// Rows sorted by a number, on the GPU.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sorted {
    /// How many numbers occur.
    pub(super) count: usize,
    /// The numbers, ascending.
    pub(super) numbers: u64,
    /// Where each one's rows begin, and where the last one's end.
    pub(super) bounds: u64,
    /// The rows.
    pub(super) order: u64,
}

impl Engine {
    /// Sends to the GPU where the rows of a batch are, and with `keep` what the way back adds up by.
    pub(super) fn places(&self, input: Input<'_>, keep: bool) -> Result<Places> {
        let batch = input.batch;
        let lengths: Vec<usize> = batch.iter().map(|text| text.len()).collect();
        let rows = lengths.iter().sum();
        let tokens: Vec<u32> = batch.iter().flat_map(|text| text.iter().copied()).collect();
        let mut starts = vec![0_u32];
        let (mut positions, mut text_of, mut weights) =
            (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (text, &length) in lengths.iter().enumerate() {
            starts.push(starts[text] + length as u32);
            positions.extend(0..length as u32);
            text_of.extend(std::iter::repeat_n(text as u32, length));
            let mean = 1.0 / length as f32;
            weights.extend((0..length).map(|at| match input.pooling {
                Pooling::Mean => mean,
                Pooling::Cls => f32::from(u8::from(at == 0)),
            }));
        }
        let mut values: Vec<u32> = Vec::with_capacity(6 * rows);
        let mut put = |part: &[u32]| {
            let at = values.len();
            values.extend_from_slice(part);
            at
        };
        let weights: Vec<u32> = weights.into_iter().map(f32::to_bits).collect();
        let parts = [&tokens, &positions, &starts, &text_of, &weights].map(|part| put(part));
        let sorted = if keep {
            let longest = lengths.iter().copied().max().unwrap_or(0);
            let by_word = by_number(&tokens, self.vocabulary);
            let by_position = by_number(&positions, longest);
            [by_word, by_position]
                .map(|by| (by.numbers.len(), [&by.numbers, &by.bounds, &by.order].map(|part| put(part))))
        } else {
            [(0, [0; 3]); 2]
        };
        let buffer = self.gpu.upload(&values)?;
        let at = |place: usize| buffer.at() + (place * SINGLE) as u64;
        let [ids, positions, starts, text_of, weights] = parts.map(at);
        let [by_word, by_position] = sorted.map(|(count, parts)| {
            let [numbers, bounds, order] = parts.map(at);
            Sorted { count, numbers, bounds, order }
        });
        let (texts, longest) = (batch.len(), lengths.iter().copied().max().unwrap_or(0));
        Ok(Places {
            rows,
            texts,
            longest,
            ids,
            positions,
            starts,
            text_of,
            weights,
            by_word,
            by_position,
            _values: buffer,
        })
    }
}

/// Rows sorted by a number.
struct ByNumber {
    /// The numbers that occur, ascending.
    numbers: Vec<u32>,
    /// Where each one's rows begin, and where the last one's end.
    bounds: Vec<u32>,
    /// The rows, those of a number in their order.
    order: Vec<u32>,
}

/// Sorts rows by counting: the GPU waits for this. Numbers are below `limit`.
fn by_number(of_rows: &[u32], limit: usize) -> ByNumber {
    let mut counts = vec![0_u32; limit];
    for &number in of_rows {
        counts[number as usize] += 1;
    }
    let (mut numbers, mut bounds, mut next) = (Vec::new(), Vec::new(), 0);
    for (number, count) in counts.iter_mut().enumerate() {
        let begin = next;
        if *count > 0 {
            numbers.push(number as u32);
            bounds.push(begin);
        }
        next += *count;
        // From here on it is the place of the number's next row.
        *count = begin;
    }
    bounds.push(next);
    let mut order = vec![0_u32; next as usize];
    for (row, &number) in of_rows.iter().enumerate() {
        let place = &mut counts[number as usize];
        order[*place as usize] = row as u32;
        *place += 1;
    }
    ByNumber { numbers, bounds, order }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_their_number() {
        let ByNumber { numbers, bounds, order } = by_number(&[5, 2, 5, 0, 2, 2], 7);
        assert_eq!((numbers, bounds, order), (vec![0, 2, 5], vec![0, 1, 4, 6], vec![3, 1, 4, 5, 0, 2]));
    }
}
