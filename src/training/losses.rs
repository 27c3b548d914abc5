//! What training minimises, over the embeddings of a batch.

use std::cell::RefCell;

use candle_core::{D, DType, Result, Tensor};
use serde::Serialize;

/// Added under roots: the gradient of a root at zero is no number.
const TINY: f64 = 1e-12;

/// The distance of the triplet loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Distance {
    /// One minus the cosine.
    Cosine,
    /// Between the vectors as they are.
    Euclidean,
}

/// A loss over queries, positives and explicit negatives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Objective {
    /// Multiple Negatives Ranking Loss (Henderson et al. 2017): cross-entropy over scaled cosines, where a query's right
    /// passage stands among all other passages of the batch. As sentence-transformers' `MultipleNegativesRankingLoss`.
    Mnrl {
        /// The factor on the cosines: the inverse of the temperature.
        scale: f64,
        /// Whether each passage's query is also sought among the queries; the two losses are averaged.
        symmetric: bool,
    },
    /// Triplet loss (Schroff et al. 2015): `max(0, d(query, positive) - d(query, negative) + margin)`, averaged.
    Triplet {
        /// The distance.
        distance: Distance,
        /// By how much the positive must be nearer.
        margin: f64,
    },
    /// The mean of a loss over the whole embeddings and over their first dimensions, scaled to length one (Matryoshka
    /// representation learning, Kusupati et al. 2022): what is cut off later is what matters least.
    Matryoshka {
        /// The loss.
        of: Box<Self>,
        /// How many first dimensions, each less than there are.
        widths: Vec<usize>,
    },
    /// To embed texts as a teacher does: one minus the cosine to the teacher's embedding, averaged, and the squared difference
    /// between the cosines of all pairs in the batch and the teacher's (Reimers and Gurevych 2020; Park et al. 2019).
    Imitation {
        /// The weight of the second part.
        similarities: f64,
    },
}

impl Objective {
    /// The loss of queries `[n, d]`, positives `[n, d]`, and negatives `[n k, d]`, where each query's k stand together.
    pub fn loss(&self, queries: &Tensor, positives: &Tensor, negatives: Option<&Tensor>) -> Result<Tensor> {
        match self {
            Self::Mnrl { scale, symmetric } => mnrl(queries, positives, negatives, *scale, *symmetric),
            Self::Triplet { distance, margin } => {
                let Some(negatives) = negatives else { candle_core::bail!("the triplet loss needs negatives") };
                triplet(queries, positives, negatives, *distance, *margin)
            }
            Self::Matryoshka { of, widths } => {
                let mut sum = of.loss(queries, positives, negatives)?;
                for &width in widths {
                    let first = |rows: &Tensor| unit(&rows.narrow(D::Minus1, 0, width)?.contiguous()?);
                    let negatives = negatives.map(first).transpose()?;
                    sum = (sum + of.loss(&first(queries)?, &first(positives)?, negatives.as_ref())?)?;
                }
                sum / (1 + widths.len()) as f64
            }
            Self::Imitation { .. } => {
                candle_core::bail!("imitation compares embeddings with a teacher's, not queries with passages")
            }
        }
    }

    /// The loss of embeddings `[n, d]` that should be the targets `[n, d]`, whatever the lengths of these.
    pub fn imitation(&self, embeddings: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let Self::Imitation { similarities } = self else { candle_core::bail!("only imitation has targets") };
        let (embeddings, targets) = (unit(embeddings)?, unit(targets)?);
        let apart = (1.0 - (&embeddings * &targets)?.sum(D::Minus1)?)?.mean_all()?;
        if *similarities == 0.0 {
            return Ok(apart);
        }
        let (ours, theirs) = (embeddings.matmul(&embeddings.t()?)?, targets.matmul(&targets.t()?)?);
        apart + ((ours - theirs)?.sqr()?.mean_all()? * *similarities)?
    }
}

fn mnrl(
    queries: &Tensor,
    positives: &Tensor,
    negatives: Option<&Tensor>,
    scale: f64,
    symmetric: bool,
) -> Result<Tensor> {
    let (queries, positives) = (unit(queries)?, unit(positives)?);
    let passages = match negatives {
        Some(negatives) => Tensor::cat(&[&positives, &unit(negatives)?], 0)?,
        None => positives.clone(),
    };
    let forward = diagonal_cross_entropy(&(queries.matmul(&passages.t()?)? * scale)?)?;
    if !symmetric {
        return Ok(forward);
    }
    let backward = diagonal_cross_entropy(&(positives.matmul(&queries.t()?)? * scale)?)?;
    (forward + backward)? * 0.5
}

/// The mean over rows i of `-log softmax(row)_i`, for a matrix with at least as many columns as rows.
fn diagonal_cross_entropy(scores: &Tensor) -> Result<Tensor> {
    let (rows, columns) = scores.dims2()?;
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?;
    let normalizers = shifted.exp()?.sum(D::Minus1)?.log()?;
    let diagonal = diagonal(rows, columns, scores)?;
    let right = (shifted * diagonal)?.sum(D::Minus1)?;
    (normalizers - right)?.mean_all()
}

thread_local! {
    /// The last diagonal of this thread, which computes on one device.
    static LAST: RefCell<Option<Tensor>> = const { RefCell::new(None) };
}

/// Ones on the diagonal. The last one is kept: batches are alike, and sending it makes a device wait.
fn diagonal(rows: usize, columns: usize, like: &Tensor) -> Result<Tensor> {
    if let Some(last) = LAST.with_borrow(Clone::clone)
        && last.dims() == [rows, columns]
        && last.dtype() == like.dtype()
        && last.device().same_device(like.device())
    {
        return Ok(last);
    }
    let values: Vec<f32> = (0..rows * columns).map(|at| if at % columns == at / columns { 1.0 } else { 0.0 }).collect();
    let diagonal = Tensor::from_vec(values, (rows, columns), like.device())?.to_dtype(like.dtype())?;
    LAST.set(Some(diagonal.clone()));
    Ok(diagonal)
}

fn triplet(
    queries: &Tensor,
    positives: &Tensor,
    negatives: &Tensor,
    distance: Distance,
    margin: f64,
) -> Result<Tensor> {
    let (rows, dim) = queries.dims2()?;
    let each = negatives.dims2()?.0 / rows;
    // Each query and its positive stand beside each of the query's negatives.
    let repeat =
        |x: &Tensor| x.unsqueeze(1)?.broadcast_as((rows, each, dim))?.contiguous()?.reshape((rows * each, dim));
    let (queries, positives) = (repeat(queries)?, repeat(positives)?);
    let between = |a: &Tensor, b: &Tensor| match distance {
        Distance::Cosine => 1.0 - (unit(a)? * unit(b)?)?.sum(D::Minus1)?,
        Distance::Euclidean => ((a - b)?.sqr()?.sum(D::Minus1)? + TINY)?.sqrt(),
    };
    let violation = ((between(&queries, &positives)? - between(&queries, negatives)?)? + margin)?;
    violation.relu()?.mean_all()
}

/// Rows scaled to length one.
fn unit(rows: &Tensor) -> Result<Tensor> {
    let length = (rows.to_dtype(DType::F32)?.sqr()?.sum_keepdim(D::Minus1)? + TINY)?.sqrt()?;
    rows.broadcast_div(&length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn rows<const N: usize>(values: &[[f32; 2]; N]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    #[test]
    fn mnrl_by_hand() {
        let (queries, positives) = (rows(&[[1.0, 0.0], [0.0, 2.0]]), rows(&[[3.0, 0.0], [0.0, 1.0]]));
        let loss = |negatives: Option<&Tensor>, symmetric| {
            Objective::Mnrl { scale: 1.0, symmetric }
                .loss(&queries, &positives, negatives)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        // Cosines are 1 on the diagonal and 0 off it.
        let expected = (1.0_f32.exp() + 1.0).ln() - 1.0;
        assert!((loss(None, false) - expected).abs() < 1e-6 && (loss(None, true) - expected).abs() < 1e-6);
        let negatives = rows(&[[-1.0, 0.0], [0.0, -1.0]]);
        let e = 1.0_f32.exp();
        assert!((loss(Some(&negatives), false) - ((e + 1.0 + 1.0 / e + 1.0).ln() - 1.0)).abs() < 1e-6);
    }

    #[test]
    fn matryoshka_is_the_mean_over_its_widths() {
        let values = |from: u32| (0..12).map(|at| ((at * 7 + from) % 11) as f32 - 4.5).collect::<Vec<_>>();
        let tensor = |from| Tensor::from_vec(values(from), (3, 4), &Device::Cpu).unwrap();
        let (queries, positives, negatives) = (tensor(1), tensor(5), tensor(8));
        for of in [
            Objective::Mnrl { scale: 20.0, symmetric: true },
            Objective::Triplet { distance: Distance::Euclidean, margin: 0.5 },
        ] {
            let at = |width: usize| {
                let first = |rows: &Tensor| {
                    let rows = rows.narrow(1, 0, width).unwrap();
                    if width == 4 { rows } else { unit(&rows).unwrap() }
                };
                let loss = of.loss(&first(&queries), &first(&positives), Some(&first(&negatives)));
                loss.unwrap().to_scalar::<f32>().unwrap()
            };
            let expected = (at(4) + at(2) + at(1)) / 3.0;
            let whole = Objective::Matryoshka { of: Box::new(of.clone()), widths: vec![2, 1] };
            let found = whole.loss(&queries, &positives, Some(&negatives)).unwrap().to_scalar::<f32>().unwrap();
            assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
        }
    }

    #[test]
    fn imitation_by_hand() {
        let (embeddings, targets) = (rows(&[[2.0, 0.0], [0.0, 1.0]]), rows(&[[1.0, 0.0], [3.0, 4.0]]));
        let loss = |similarities| {
            let loss = Objective::Imitation { similarities }.imitation(&embeddings, &targets);
            loss.unwrap().to_scalar::<f32>().unwrap()
        };
        // Cosines to the targets are 1 and 0.8; between the two texts 0 instead of 0.6, twice among four pairs.
        assert!((loss(0.0) - 0.1).abs() < 1e-6);
        assert!((loss(2.0) - (0.1 + 2.0 * 0.36 * 2.0 / 4.0)).abs() < 1e-6);
    }

    #[test]
    fn triplet_by_hand() {
        let (query, positive) = (rows(&[[1.0, 0.0]]), rows(&[[0.0, 1.0]]));
        let negatives = rows(&[[1.0, 0.0], [-1.0, 0.0]]);
        let loss = |distance, margin| {
            let objective = Objective::Triplet { distance, margin };
            objective.loss(&query, &positive, Some(&negatives)).unwrap().to_scalar::<f32>().unwrap()
        };
        // Cosine distances: 1 to the positive, 0 and 2 to the negatives.
        assert!((loss(Distance::Cosine, 0.2) - f32::midpoint(1.2, 0.0)).abs() < 1e-5);
        let root = 2.0_f32.sqrt();
        assert!((loss(Distance::Euclidean, 0.5) - f32::midpoint(root + 0.5, (root - 2.0 + 0.5).max(0.0))).abs() < 1e-5);
    }
}
