//! What ranks have to tell each other in a step: their embeddings, and the sums of their gradients.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Tensor;

use super::meeting::Meeting;
use crate::training::Result;

/// How a rank hears of the others. Every rank calls the same things in the same order, with tensors of the same shape; each
/// call comes back from all ranks, or fails on all of them where one ended.
pub(in crate::training) trait Exchange: Send {
    /// This rank's number, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn ranks(&self) -> usize;

    /// The rows `[rows, dim]` of every rank below each other, by rank: `[ranks * rows, dim]`.
    fn gather(&self, rows: &Tensor) -> Result<Tensor>;

    /// The sum of every rank's values, in f32 and in an order that depends on the number of ranks alone: every rank gets the
    /// same bits. What is handed in is not to be looked at again.
    fn sum(&self, values: Tensor) -> Result<Tensor>;

    /// Waits for all ranks.
    fn meet(&self) -> Result<()>;

    /// Ends what is under way on a device: this rank will not come.
    fn abort(&self) {}
}

/// One rank, which has nobody to hear of.
#[derive(Debug)]
pub(in crate::training) struct Alone;

impl Exchange for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        Ok(rows.clone())
    }

    fn sum(&self, values: Tensor) -> Result<Tensor> {
        Ok(values)
    }

    fn meet(&self) -> Result<()> {
        Ok(())
    }
}

/// Through the memory of the process: for ranks on the CPU, and for GPUs where there is no NCCL.
#[derive(Debug)]
pub(super) struct Host {
    rank: usize,
    ranks: usize,
    meeting: Arc<Meeting>,
}

impl Host {
    pub(super) const fn new(rank: usize, ranks: usize, meeting: Arc<Meeting>) -> Self {
        Self { rank, ranks, meeting }
    }

    fn show(&self, values: &Tensor) -> Result<Arc<Vec<Vec<f32>>>> {
        let all = self.meeting.meet(self.rank, values.flatten_all()?.to_vec1::<f32>()?)?;
        check_alike(all.iter().map(Vec::len))?;
        Ok(all)
    }
}

impl Exchange for Host {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        let (count, dim) = rows.dims2()?;
        Ok(Tensor::from_vec(self.show(rows)?.concat(), (self.ranks * count, dim), rows.device())?)
    }

    fn sum(&self, values: Tensor) -> Result<Tensor> {
        let all = self.show(&values)?;
        let (first, others) = all.split_first().map_or((&[][..], &[][..]), |(first, others)| (first, others));
        let mut sum = first.to_vec();
        for other in others {
            for (sum, value) in sum.iter_mut().zip(other) {
                *sum += value;
            }
        }
        Ok(Tensor::from_vec(sum, values.shape(), values.device())?)
    }

    fn meet(&self) -> Result<()> {
        self.meeting.meet(self.rank, Vec::new()).map(|_| ())
    }
}

/// Refuses where ranks bring different numbers of values: a fault here, for which NCCL would wait for ever.
pub(super) fn check_alike(mut counts: impl Iterator<Item = usize>) -> Result<()> {
    let first = counts.next();
    match counts.find(|count| Some(*count) != first) {
        Some(other) => Err(candle_core::Error::Msg(format!(
            "ranks bring {} and {other} values to one exchange",
            first.unwrap_or_default()
        ))
        .into()),
        None => Ok(()),
    }
}

/// The sums of every rank's gradients, as one exchange. All ranks have gradients of the same parameters.
pub(in crate::training) fn sum_gradients(
    exchange: &dyn Exchange,
    gradients: BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    if exchange.ranks() == 1 || gradients.is_empty() {
        return Ok(gradients);
    }
    let flat = gradients.values().map(Tensor::flatten_all).collect::<candle_core::Result<Vec<_>>>()?;
    let sums = exchange.sum(Tensor::cat(&flat, 0)?)?;
    drop(flat);
    let mut start = 0;
    let mut take = |(name, gradient): (String, Tensor)| {
        let sum = sums.narrow(0, start, gradient.elem_count())?.reshape(gradient.shape())?;
        start += gradient.elem_count();
        Ok((name, sum))
    };
    gradients.into_iter().map(&mut take).collect()
}
