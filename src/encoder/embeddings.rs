//! Vectors of texts.

/// A matrix of embeddings, row-major: one row a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Values in a row.
    pub dim: usize,
    /// The values, row after row.
    pub data: Vec<f32>,
}

impl Embeddings {
    /// A matrix of `data.len() / dim` rows.
    ///
    /// # Panics
    /// Where the values do not fill whole rows.
    pub fn new(dim: usize, data: Vec<f32>) -> Self {
        assert!(dim > 0 && data.len().is_multiple_of(dim), "{} values in rows of {dim}", data.len());
        Self { dim, data }
    }

    /// The embedding of one text.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.data[at * self.dim..][..self.dim]
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.dim)
    }
}
