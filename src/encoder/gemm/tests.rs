use proptest::prelude::*;

use super::*;

/// Numbers between -1 and 1 that depend on the seed alone.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// To the nearest bf16, ties to even.
fn rounded(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// A layout of rows x columns: unit stride along rows, along columns, or along neither.
fn strides(kind: usize, rows: usize, columns: usize, padding: usize) -> Strides {
    let offset = padding * 3;
    match kind {
        0 => Strides { offset, row: columns + padding, column: 1 },
        1 => Strides { offset, row: 1, column: rows + padding },
        _ => Strides { offset, row: 2 * columns + padding, column: 2 },
    }
}

#[allow(clippy::too_many_arguments)]
fn check(
    (m, k, n): (usize, usize, usize),
    kinds: (usize, usize, usize),
    padding: usize,
    keep: f32,
    scale: f32,
    with_bias: bool,
    precision: Precision,
    parallel: bool,
) {
    let (of_out, of_a, of_b) =
        (strides(kinds.0, m, n, padding), strides(kinds.1, m, k, padding), strides(kinds.2, k, n, padding));
    let a = numbers(of_a.end(m, k), 1);
    let b = numbers(of_b.end(k, n), 2);
    let bias = numbers(n, 3);
    let bias = with_bias.then_some(bias.as_slice());
    let old = if keep == 0.0 { vec![f32::NAN; of_out.end(m, n)] } else { numbers(of_out.end(m, n), 4) };
    let mut out = old.clone();
    matmul((m, k, n), &mut out, of_out, keep, &a, of_a, &b, of_b, scale, bias, precision, parallel);
    let halves = precision == Precision::Bf16 && has_bf16();
    let value = |x: f32| f64::from(if halves { rounded(x) } else { x });
    let mut expected: Vec<f64> = old.iter().map(|&x| f64::from(x)).collect();
    let mut touched = vec![false; old.len()];
    for i in 0..m {
        for j in 0..n {
            let mut sum = 0.0;
            for p in 0..k {
                sum += value(a[of_a.offset + i * of_a.row + p * of_a.column])
                    * value(b[of_b.offset + p * of_b.row + j * of_b.column]);
            }
            let at = of_out.offset + i * of_out.row + j * of_out.column;
            let kept = if keep == 0.0 { 0.0 } else { f64::from(keep) * expected[at] };
            expected[at] = kept + f64::from(scale) * sum + bias.map_or(0.0, |bias| f64::from(bias[j]));
            touched[at] = true;
        }
    }
    for (at, (&out, &expected)) in out.iter().zip(&expected).enumerate() {
        if touched[at] {
            let tolerance = 3e-7 * (4.0 + f64::from(scale.abs()) * k as f64);
            assert!((f64::from(out) - expected).abs() <= tolerance, "{out} for {expected} at {at}");
        } else {
            assert_eq!(out.to_bits(), old[at].to_bits(), "{at} is not the product's");
        }
    }
}

fn any_precision() -> impl Strategy<Value = Precision> {
    prop_oneof![Just(Precision::F32), Just(Precision::Bf16)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn small_products_agree_with_f64(
        shape in (1_usize..70, 0_usize..70, 1_usize..70),
        kinds in (0_usize..3, 0_usize..3, 0_usize..3),
        padding in 0_usize..4,
        keep in prop_oneof![Just(0.0_f32), Just(1.0), Just(0.5)],
        scale in prop_oneof![Just(1.0_f32), Just(-0.3), Just(0.0)],
        bias: bool,
        precision in any_precision(),
        parallel: bool,
    ) {
        check(shape, kinds, padding, keep, scale, bias, precision, parallel);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn products_of_many_blocks_agree_with_f64(
        shape in (1_usize..400, 300_usize..1700, 1_usize..300),
        kinds in (0_usize..3, 0_usize..3, 0_usize..3),
        keep in prop_oneof![Just(0.0_f32), Just(1.0), Just(0.5)],
        bias: bool,
        precision in any_precision(),
    ) {
        check(shape, kinds, 1, keep, 0.7, bias, precision, true);
    }
}

#[test]
fn wide_and_deep_products_agree_with_f64() {
    for precision in [Precision::F32, Precision::Bf16] {
        check((3, 500, 6200), (0, 0, 1), 0, 0.5, 1.0, true, precision, true);
        check((7, 9001, 160), (0, 1, 0), 0, 0.0, 1.0, true, precision, true);
        check((1200, 40, 1), (0, 0, 0), 0, 0.0, 1.0, false, precision, true);
    }
}

#[test]
fn threads_do_not_change_the_result() {
    for precision in [Precision::F32, Precision::Bf16] {
        for (m, k, n) in [(333, 1001, 217), (40, 700, 900), (1000, 390, 100), (250, 200, 190)] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let product = |threads: usize, parallel| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut out = vec![f32::NAN; m * n];
                let (of_a, of_b) = (Strides::rows(k), Strides::rows(k).transposed());
                pool.install(|| {
                    matmul(
                        (m, k, n),
                        &mut out,
                        Strides::rows(n),
                        0.0,
                        &a,
                        of_a,
                        &b,
                        of_b,
                        1.0,
                        None,
                        precision,
                        parallel,
                    );
                });
                out
            };
            let alone = product(1, false);
            assert!((2..6).all(|threads| product(threads, true) == alone));
        }
    }
}

#[test]
fn the_crate_that_stands_in_agrees() {
    let (m, k, n) = (19, 23, 37);
    let (a, b, bias) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
    for keep in [0.0, 0.5] {
        let (of_out, of_a, of_b) = (Strides::rows(n), Strides::rows(k), Strides::rows(n));
        let mut ours = numbers(m * n, 4);
        let mut theirs = ours.clone();
        matmul((m, k, n), &mut ours, of_out, keep, &a, of_a, &b, of_b, 0.7, Some(&bias), Precision::F32, false);
        let product = Product {
            shape: (m, k, n),
            out: theirs.as_mut_ptr(),
            of_out,
            keep,
            a: a.as_ptr(),
            of_a,
            b: b.as_ptr(),
            of_b,
            scale: 0.7,
            bias: bias.as_ptr(),
        };
        // SAFETY: the slices hold the shape.
        unsafe { crate_gemm::multiply(&product, false) };
        assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| (ours - theirs).abs() < 1e-5));
    }
}

/// Many products at once, each started from a thread of the pool that also works for the others.
#[test]
fn products_within_tasks_keep_apart() {
    use rayon::prelude::*;
    let (m, k, n) = (130, 400, 200);
    let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
    let (of_a, of_b, of_out) = (Strides::rows(k), Strides::rows(n), Strides::rows(n));
    let product = |parallel| {
        let mut out = vec![0.0; m * n];
        matmul((m, k, n), &mut out, of_out, 0.0, &a, of_a, &b, of_b, 1.0, None, Precision::F32, parallel);
        out
    };
    let alone = product(false);
    assert!((0..64).into_par_iter().all(|_| product(true) == alone));
}

#[test]
#[should_panic(expected = "an element of the result for every row and column")]
fn a_result_whose_rows_overlap_is_refused() {
    let of_out = Strides { offset: 0, row: 1, column: 1 };
    let rows = Strides::rows(2);
    matmul((2, 2, 2), &mut [0.0; 4], of_out, 0.0, &[1.0; 4], rows, &[1.0; 4], rows, 1.0, None, Precision::F32, false);
}
