//! Layer normalisation (Ba, Kiros and Hinton 2016) over the last dimension.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{values, with_values};

/// Rows that a thread takes at a time.
const ROWS: usize = 64;

/// `x` [rows, width], `weight` and `bias` [width] -> [rows, width].
pub(in crate::encoder) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.contiguous()?.apply_op3(weight, bias, LayerNorm { epsilon: epsilon as f32 })
    } else {
        composed(x, weight, bias, epsilon)
    }
}

fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
    normal.broadcast_mul(weight)?.broadcast_add(bias)
}

struct LayerNorm {
    epsilon: f32,
}

impl LayerNorm {
    /// Mean and inverse standard deviation of a row.
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let width = row.len() as f32;
        let mean = row.iter().sum::<f32>() / width;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / width;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        of_x: &Layout,
        weight: &CpuStorage,
        of_weight: &Layout,
        bias: &CpuStorage,
        of_bias: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = of_x.shape().dims2()?;
        let (x, weight, bias) = (values(x, of_x)?, values(weight, of_weight)?, values(bias, of_bias)?);
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width)).for_each(|(out, x)| {
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let (mean, inverse) = self.moments(x);
                for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                    *out = (x - mean) * inverse * weight + bias;
                }
            }
        });
        Ok((CpuStorage::F32(out), of_x.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, width) = x.dims2()?;
        let (dx, dw, db) = with_values([x, weight, gradient], |[x, weight, gradient]| {
            let mut dx = vec![0.0; x.len()];
            let chunks =
                dx.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width)).zip(gradient.par_chunks(ROWS * width));
            let sums = chunks.map(|((dx, x), gradient)| {
                let (mut dw, mut db) = (vec![0.0_f32; width], vec![0.0_f32; width]);
                let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(gradient.chunks_exact(width));
                for ((dx, x), gradient) in rows {
                    self.row_backward(dx, x, weight, gradient, &mut dw, &mut db);
                }
                (dw, db)
            });
            // In the order of the rows, whatever the threads did: a sum must not depend on luck.
            let sums: Vec<(Vec<f32>, Vec<f32>)> = sums.collect();
            let (mut dw, mut db) = (vec![0.0_f32; width], vec![0.0_f32; width]);
            for (of_weight, of_bias) in sums {
                dw.iter_mut().zip(of_weight).for_each(|(sum, value)| *sum += value);
                db.iter_mut().zip(of_bias).for_each(|(sum, value)| *sum += value);
            }
            (dx, dw, db)
        })?;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dw, weight.shape(), device)?),
            Some(Tensor::from_vec(db, bias.shape(), device)?),
        ))
    }
}

impl LayerNorm {
    /// With n = (x - mean) / deviation and g the gradient times the weight: `dx = (g - mean(g) - n mean(g n)) / deviation`.
    fn row_backward(
        &self,
        dx: &mut [f32],
        x: &[f32],
        weight: &[f32],
        gradient: &[f32],
        dw: &mut [f32],
        db: &mut [f32],
    ) {
        let width = x.len() as f32;
        let (mean, inverse) = self.moments(x);
        let (mut sum, mut sum_normal) = (0.0, 0.0);
        for at in 0..x.len() {
            let normal = (x[at] - mean) * inverse;
            let scaled = gradient[at] * weight[at];
            sum += scaled;
            sum_normal += scaled * normal;
            dw[at] += gradient[at] * normal;
            db[at] += gradient[at];
        }
        let (average, average_normal) = (sum / width, sum_normal / width);
        for at in 0..x.len() {
            let normal = (x[at] - mean) * inverse;
            dx[at] = inverse * (gradient[at] * weight[at] - average - normal * average_normal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{random, same_and_differentiable};
    use super::*;

    #[test]
    fn layer_norm_agrees_with_its_composition() {
        for (rows, width) in [(1, 8), (70, 12), (130, 32)] {
            let arguments = [random(&[rows, width], 1), random(&[width], 2), random(&[width], 3)];
            same_and_differentiable(
                &arguments,
                |a| layer_norm(&a[0], &a[1], &a[2], 1e-12),
                |a| composed(&a[0], &a[1], &a[2], 1e-12),
            );
        }
    }
}
