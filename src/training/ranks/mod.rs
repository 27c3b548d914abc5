//! Training on several devices of one machine, data parallel: a rank each, a thread each, with a replica of the encoder.
//!
//! A batch is split over the ranks, and their embeddings are gathered before the loss, so that every text is a negative for
//! every query, whichever rank embedded it. Gradients are summed over the ranks, and each takes the same step: replicas stay
//! equal bit by bit. Rank 0 is the caller's thread. It draws up the steps, and alone reads the clock, looks at dev and writes
//! checkpoints; the others do what it orders. One device is one rank of the same code.
//!
//! A rank that ends, by an error or a panic, ends all: nobody may wait for it.

mod exchange;
mod meeting;
#[cfg(feature = "cuda")]
mod nccl;
mod share;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use candle_core::{Device, Tensor};

use self::exchange::Host;
pub(super) use self::exchange::{Alone, Exchange, sum_gradients};
use self::meeting::{Failure, Meeting};
pub(super) use self::share::{deal, places};
use super::gradients::share_of_gradients;
use super::{AdamW, AdamWOptions, BatchGradients, Error, Example, GradientOptions, Result};
use crate::encoder::{Encoder, Snapshot};
use crate::progress::Event;

/// An encoder and its replicas, one for each device.
#[derive(Debug)]
pub struct Ranks<'a> {
    first: &'a Encoder,
    others: Vec<Encoder>,
    link: Link,
}

/// What joins them.
#[derive(Debug)]
enum Link {
    /// The memory of the process.
    Host,
    /// The same between GPUs, for want of better; and why.
    Slow(String),
    /// NCCL.
    #[cfg(feature = "cuda")]
    Nccl(Arc<nccl::Group>),
}

impl<'a> Ranks<'a> {
    /// An encoder as rank 0, and a replica of it on each other device.
    pub fn of(encoder: &'a Encoder, others: &[Device]) -> Result<Self> {
        let others = others.iter().map(|device| encoder.replica(device)).collect::<Result<Vec<_>, _>>()?;
        let link = link(encoder, &others);
        Ok(Self { first: encoder, others, link })
    }

    /// The encoder of rank 0.
    pub const fn first(&self) -> &'a Encoder {
        self.first
    }

    /// How many ranks there are.
    pub const fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// How the ranks are joined, where there are several: a note, or a warning where it costs time.
    pub fn told(&self) -> Option<Event> {
        let count = self.count();
        Some(match &self.link {
            _ if count == 1 => return None,
            Link::Host => Event::note(format!("trains on {count} replicas, joined by the memory of this process")),
            Link::Slow(why) => Event::warning(format!(
                "trains on {count} devices, which exchange gradients through host memory, slowly: {why}"
            )),
            #[cfg(feature = "cuda")]
            Link::Nccl(group) => Event::note(format!("trains on {count} GPUs, joined by NCCL {}", group.version())),
        })
    }

    /// Starts the other ranks, does work as rank 0, and ends them. Where another rank failed, its error is the result; its
    /// panic goes on here.
    pub fn run<'e, T>(&'e self, options: AdamWOptions, work: impl FnOnce(&Crew<'e>) -> Result<T>) -> Result<T> {
        let meeting = Arc::new(Meeting::new(self.count()));
        let (result, before) = std::thread::scope(|scope| {
            // Dropped on every way out, panics included: that ends the others.
            let mut crew = Crew {
                encoder: self.first,
                exchange: self.exchange(0, &meeting),
                orders: Vec::with_capacity(self.others.len()),
                meeting: Arc::clone(&meeting),
                done: false,
            };
            for (at, encoder) in self.others.iter().enumerate() {
                let rank = at + 1;
                let (order, orders) = channel();
                let (exchange, meeting) = (self.exchange(rank, &meeting), Arc::clone(&meeting));
                std::thread::Builder::new()
                    .name(format!("rank {rank}"))
                    .spawn_scoped(scope, move || serve(encoder, &*exchange, options, &orders, &meeting))
                    .map_err(|source| Error::NoThread { rank, source })?;
                crew.orders.push(order);
            }
            bind(self.first.device())?;
            let result = work(&crew);
            crew.done = result.is_ok();
            // What failed before this rank did is why it did: an exchange that is aborted leaves no numbers.
            let before = if result.is_err() { meeting.take_failure() } else { None };
            Ok::<_, Error>((result, before))
        })?;
        let failure = before.or_else(|| match result {
            Ok(_) | Err(Error::RankEnded) => meeting.take_failure(),
            Err(_) => None,
        });
        match failure {
            Some((_, Failure::Panic(panic))) => resume_unwind(panic),
            Some((rank, Failure::Error(error))) => Err(Error::Rank { rank, error: Box::new(error) }),
            None => result,
        }
    }

    fn exchange(&self, rank: usize, meeting: &Arc<Meeting>) -> Box<dyn Exchange> {
        let ranks = self.count();
        match &self.link {
            _ if ranks == 1 => Box::new(Alone),
            Link::Host | Link::Slow(_) => Box::new(Host::new(rank, ranks, Arc::clone(meeting))),
            #[cfg(feature = "cuda")]
            Link::Nccl(group) => Box::new(nccl::Nccl::new(rank, Arc::clone(group), Arc::clone(meeting))),
        }
    }
}

#[cfg(feature = "cuda")]
fn link(first: &Encoder, others: &[Encoder]) -> Link {
    let cuda = |encoder: &'_ Encoder| match encoder.device() {
        Device::Cuda(device) => Some(device.clone()),
        _ => None,
    };
    let devices: Option<Vec<_>> = std::iter::once(first).chain(others).map(cuda).collect();
    match devices {
        Some(devices) if devices.len() > 1 => match nccl::Group::of(&devices.iter().collect::<Vec<_>>()) {
            Ok(group) => Link::Nccl(Arc::new(group)),
            Err(error) => Link::Slow(format!("NCCL cannot be used: {error}; put libnccl.so.2 on LD_LIBRARY_PATH")),
        },
        _ => Link::Host,
    }
}

#[cfg(not(feature = "cuda"))]
fn link(first: &Encoder, _others: &[Encoder]) -> Link {
    if first.device().is_cpu() { Link::Host } else { Link::Slow("only NVIDIA's GPUs have a library for it".to_owned()) }
}

/// What rank 0 orders.
enum Order<'e> {
    /// The gradients of a step's batches.
    Gradients(Arc<[Vec<&'e Example>]>, GradientOptions),
    /// A step with them.
    Step { rate: f64, limit: f64 },
    /// Other parameters and an optimizer's state.
    Take(Arc<Whole>),
    /// A fingerprint of the parameters.
    Show(Sender<Snapshot>),
    /// A panic: no input is known that leads to one.
    #[cfg(test)]
    Panic,
}

/// All that a rank must know to go on as rank 0 does, in host memory.
struct Whole {
    parameters: BTreeMap<String, Tensor>,
    moments: BTreeMap<String, Tensor>,
    steps: usize,
}

/// All ranks as rank 0 has them: its own replica, and a line to each of the others.
pub struct Crew<'e> {
    encoder: &'e Encoder,
    exchange: Box<dyn Exchange>,
    orders: Vec<Sender<Order<'e>>>,
    meeting: Arc<Meeting>,
    done: bool,
}

impl std::fmt::Debug for Crew<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a crew of {}", self.exchange.ranks())
    }
}

impl<'e> Crew<'e> {
    /// The mean loss of a step's batches and its gradients, each rank's share computed on its device.
    pub fn gradients(&self, batches: &[Vec<&'e Example>], options: &GradientOptions) -> Result<BatchGradients> {
        if !self.orders.is_empty() {
            let batches: Arc<[Vec<&Example>]> = batches.into();
            self.order(|| Order::Gradients(Arc::clone(&batches), options.clone()))?;
        }
        share_of_gradients(self.encoder, &*self.exchange, batches, options)
    }

    /// Takes a step with what was found last, on every rank ([`AdamW::step`]): each has the same loss and the same norm.
    pub fn step(&self, optimizer: &mut AdamW, found: &BatchGradients, rate: f64, limit: f64) -> Result<()> {
        self.order(|| Order::Step { rate, limit })?;
        optimizer.step(self.encoder.parameters(), &found.loss, &found.gradients, rate, limit)
    }

    /// Gives every rank the parameters of rank 0 and the state of its optimizer.
    pub fn spread(&self, optimizer: &AdamW) -> Result<()> {
        if self.orders.is_empty() {
            return Ok(());
        }
        let parameters = self.encoder.parameters();
        let to_host = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_device(&Device::Cpu)?));
        let of_encoder = parameters.iter().map(|(name, var)| (name.to_owned(), var.as_detached_tensor()));
        let whole = Arc::new(Whole {
            parameters: of_encoder.map(to_host).collect::<Result<_>>()?,
            moments: optimizer.state(parameters)?.into_iter().map(to_host).collect::<Result<_>>()?,
            steps: optimizer.steps(),
        });
        self.order(|| Order::Take(Arc::clone(&whole)))?;
        // On the CPU they are the parameters themselves: none of them may move before all have copied them.
        self.exchange.meet()
    }

    /// Refuses where a replica is not what rank 0 is, bit by bit.
    pub fn check_equal(&self) -> Result<()> {
        if self.orders.is_empty() {
            return Ok(());
        }
        let mut answers = Vec::with_capacity(self.orders.len());
        for order in &self.orders {
            let (answer, shown) = channel();
            order.send(Order::Show(answer)).map_err(|_| Error::RankEnded)?;
            answers.push(shown);
        }
        let own = Snapshot::of(self.encoder)?;
        for (at, shown) in answers.into_iter().enumerate() {
            if shown.recv().map_err(|_| Error::RankEnded)? != own {
                return Err(Error::RanksApart(at + 1));
            }
        }
        Ok(())
    }

    fn order(&self, order: impl Fn() -> Order<'e>) -> Result<()> {
        self.orders.iter().try_for_each(|line| line.send(order()).map_err(|_| Error::RankEnded))
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        // With all well the others have only to end what was ordered; otherwise they may be waiting for this rank.
        if !self.done {
            self.meeting.end();
            self.exchange.abort();
        }
    }
}

/// A rank's life: what it is ordered until there are no more orders, or until something ends it, which then ends all.
fn serve(
    encoder: &Encoder,
    exchange: &dyn Exchange,
    options: AdamWOptions,
    orders: &Receiver<Order<'_>>,
    meeting: &Meeting,
) {
    // What it leaves half done is looked at by nobody: the training ends.
    let failure = match catch_unwind(AssertUnwindSafe(|| follow(encoder, exchange, options, orders))) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => Failure::Error(error),
        Err(panic) => Failure::Panic(panic),
    };
    match failure {
        Failure::Error(Error::RankEnded) => meeting.end(),
        failure => meeting.fail(exchange.rank(), failure),
    }
    exchange.abort();
}

fn follow(
    encoder: &Encoder,
    exchange: &dyn Exchange,
    options: AdamWOptions,
    orders: &Receiver<Order<'_>>,
) -> Result<()> {
    bind(encoder.device())?;
    let (mut optimizer, mut last) = (AdamW::new(options), None);
    while let Ok(order) = orders.recv() {
        match order {
            Order::Gradients(batches, how) => {
                // The last ones go first: there is room for one set.
                drop(last.take());
                last = Some(share_of_gradients(encoder, exchange, &batches, &how)?);
            }
            Order::Step { rate, limit } => {
                let Some(BatchGradients { loss, gradients, .. }) = &last else { continue };
                optimizer.step(encoder.parameters(), loss, gradients, rate, limit)?;
                // Rank 0 reads and judges what the step came to; here it only takes room.
                optimizer.forget_readings();
            }
            Order::Take(whole) => {
                let here = encoder.device();
                for (name, var) in encoder.parameters().iter() {
                    if let Some(values) = whole.parameters.get(name) {
                        var.set(&values.to_device(here)?)?;
                    }
                }
                let moments = whole.moments.iter().map(|(name, values)| Ok((name.clone(), values.to_device(here)?)));
                optimizer = AdamW::restore(options, whole.steps, moments.collect::<Result<_>>()?)?;
                exchange.meet()?;
            }
            // Nobody waits for the answer only where rank 0 has ended.
            Order::Show(answer) => drop(answer.send(Snapshot::of(encoder)?)),
            #[cfg(test)]
            Order::Panic => panic!("rank {} has a fault", exchange.rank()),
        }
    }
    // Errors of a GPU may come late.
    Ok(encoder.device().synchronize()?)
}

/// Lets this thread's calls go to a rank's GPU: some name none.
#[cfg(feature = "cuda")]
fn bind(device: &Device) -> Result<()> {
    if let Device::Cuda(device) = device {
        let bound = device.cuda_stream().context().bind_to_thread();
        bound.map_err(|error| candle_core::Error::Msg(format!("CUDA: {error}")))?;
    }
    Ok(())
}

#[cfg(not(feature = "cuda"))]
#[expect(clippy::unnecessary_wraps, reason = "as with a GPU")]
const fn bind(_device: &Device) -> Result<()> {
    Ok(())
}
