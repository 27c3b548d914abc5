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

    /// The first dimensions of every row, scaled to length one again.
    #[must_use]
    pub fn first(&self, dim: usize) -> Self {
        let mut data = Vec::with_capacity(self.len() * dim);
        for row in self.rows() {
            let row = &row[..dim];
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            // A row of zeros stays one.
            let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
            data.extend(row.iter().map(|value| value * scale));
        }
        Self::new(dim, data)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_leaves_unit_vectors() {
        let cut = Embeddings::new(3, vec![3.0, 4.0, 9.0, 0.0, 0.0, 1.0]).first(2);
        assert_eq!((cut.dim, cut.data), (2, vec![0.6, 0.8, 0.0, 0.0]));
    }
}
