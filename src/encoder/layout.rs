//! Which rows of the hidden states belong to which text.

use candle_core::{Device, Result, Tensor};

/// Where the tokens of a batch of texts stand in a `[rows, hidden]` matrix.
///
/// The engine of the CPU packs texts end to end: no time goes into padding. For the composed operators each text has as many
/// rows as the longest, so that attention is one batched product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    lengths: Vec<usize>,
    starts: Vec<usize>,
    rows: usize,
    padded_to: Option<usize>,
}

impl Layout {
    pub(super) fn packed(lengths: Vec<usize>) -> Self {
        let starts = lengths.iter().scan(0, |next, length| Some(std::mem::replace(next, *next + length))).collect();
        let rows = lengths.iter().sum();
        Self { lengths, starts, rows, padded_to: None }
    }

    pub(super) fn padded(lengths: Vec<usize>) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let starts = (0..lengths.len()).map(|text| text * longest).collect();
        let rows = longest * lengths.len();
        Self { lengths, starts, rows, padded_to: Some(longest) }
    }

    pub(super) fn texts(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The first row of each text.
    pub(super) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Rows of every text, where all have the same.
    pub(super) const fn padded_to(&self) -> Option<usize> {
        self.padded_to
    }

    /// Puts a value for each token at its row; padding rows get 0.
    pub(super) fn spread(&self, of_token: impl Fn(usize, usize) -> u32) -> Vec<u32> {
        let mut rows = vec![0; self.rows];
        for (text, (&start, &length)) in self.starts.iter().zip(&self.lengths).enumerate() {
            for position in 0..length {
                rows[start + position] = of_token(text, position);
            }
        }
        rows
    }

    /// `[texts, rows]` with 1 / length where the row is a token of the text: times the hidden states, their mean.
    pub(super) fn averaging(&self, device: &Device) -> Result<Tensor> {
        let mut matrix = vec![0.0_f32; self.texts() * self.rows];
        for (text, (&start, &length)) in self.starts.iter().zip(&self.lengths).enumerate() {
            matrix[text * self.rows + start..][..length].fill(1.0 / length as f32);
        }
        Tensor::from_vec(matrix, (self.texts(), self.rows), device)
    }

    /// `[texts, 1, 1, padded]`: 0 at tokens and a large negative number at padding, to be added to attention scores.
    pub(super) fn attention_bias(&self, padded: usize, device: &Device) -> Result<Tensor> {
        // Finite, so that a row of padding alone stays a number.
        let mut bias = vec![-1e9_f32; self.texts() * padded];
        for (text, &length) in self.lengths.iter().enumerate() {
            bias[text * padded..][..length].fill(0.0);
        }
        Tensor::from_vec(bias, (self.texts(), 1, 1, padded), device)
    }
}
