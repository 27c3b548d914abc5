//! Which rank embeds which texts.

/// The texts of each rank, the longest first. They are dealt out by length, there and back, so that ranks differ by one text
/// at most and have long and short ones alike: attention costs more than its share of tokens.
///
/// No share is empty: where there are fewer texts than ranks, a rank without one is given one that counts for another rank,
/// and so has gradients, of zero, of the same parameters as the others.
pub(in crate::training) fn deal(texts: &[&[u32]], ranks: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(texts[at].len()), at));
    let mut shares = vec![Vec::new(); ranks];
    for (turn, dealt) in order.chunks(ranks).enumerate() {
        for (at, &text) in dealt.iter().enumerate() {
            let rank = if turn.is_multiple_of(2) { at } else { ranks - 1 - at };
            shares[rank].push(text);
        }
    }
    if let Some(&shortest) = order.last() {
        shares.iter_mut().filter(|share| share.is_empty()).for_each(|share| share.push(shortest));
    }
    shares
}

/// Where each text's row stands when every rank's rows, filled up to `rows`, are below each other.
pub(in crate::training) fn places(shares: &[Vec<usize>], texts: usize, rows: usize) -> Vec<u32> {
    let mut places = vec![0; texts];
    // The last first: a text that two ranks have counts where it was dealt to.
    for (rank, share) in shares.iter().enumerate().rev() {
        for (at, &text) in share.iter().enumerate() {
            places[text] = (rank * rows + at) as u32;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_dealt_once_and_shares_are_alike() {
        let tokens: Vec<Vec<u32>> = (0..23).map(|at| vec![1; 1 + at * 37 % 90]).collect();
        let texts: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        for ranks in 1..5 {
            let shares = deal(&texts, ranks);
            let mut all = shares.concat();
            all.sort_unstable();
            assert_eq!(all, (0..23).collect::<Vec<_>>());
            let most = shares.iter().map(Vec::len).max().unwrap();
            assert!(shares.iter().all(|share| share.len() + 1 >= most));
            let load = |share: &Vec<usize>| share.iter().map(|&at| texts[at].len()).sum::<usize>();
            let loads: Vec<usize> = shares.iter().map(load).collect();
            assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 90, "{loads:?}");
        }
    }

    #[test]
    fn a_rank_without_a_text_counts_for_nothing() {
        let texts: [&[u32]; 2] = [&[1], &[1, 2]];
        let shares = deal(&texts, 4);
        assert_eq!(shares, [vec![1], vec![0], vec![0], vec![0]]);
        assert_eq!(places(&shares, 2, 1), [1, 0]);
    }
}
