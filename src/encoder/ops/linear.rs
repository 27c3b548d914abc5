//! `y = x Wᵀ + b`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::kernels::{Strides, matmul};
use super::{values, with_values};

/// `x` [rows, in], `weight` [out, in], `bias` [out] -> [rows, out].
pub(in crate::encoder) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op3(weight, bias, Linear) } else { composed(x, weight, bias) }
}

fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let (rows, width) = of_x.shape().dims2()?;
        let (out_width, _) = of_weight.shape().dims2()?;
        let (x, weight, bias) = (values(x, of_x)?, values(weight, of_weight)?, values(bias, of_bias)?);
        let mut out = Vec::with_capacity(rows * out_width);
        for _ in 0..rows {
            out.extend_from_slice(bias);
        }
        let (by_rows, weights) = (Strides::rows(width), Strides::rows(width).transposed());
        matmul(
            (rows, width, out_width),
            &mut out,
            Strides::rows(out_width),
            1.0,
            x,
            by_rows,
            weight,
            weights,
            1.0,
            true,
        );
        Ok((CpuStorage::F32(out), Shape::from((rows, out_width))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, width) = x.dims2()?;
        let (out_width, _) = weight.dims2()?;
        let (dx, dw, db) = with_values([x, weight, gradient], |[x, weight, gradient]| {
            let (narrow, wide) = (Strides::rows(width), Strides::rows(out_width));
            let mut dx = vec![0.0; rows * width];
            matmul((rows, out_width, width), &mut dx, narrow, 0.0, gradient, wide, weight, narrow, 1.0, true);
            let mut dw = vec![0.0; out_width * width];
            matmul((out_width, rows, width), &mut dw, narrow, 0.0, gradient, wide.transposed(), x, narrow, 1.0, true);
            let mut db = vec![0.0_f32; out_width];
            for row in gradient.chunks_exact(out_width) {
                for (sum, value) in db.iter_mut().zip(row) {
                    *sum += value;
                }
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

#[cfg(test)]
mod tests {
    use super::super::checks::{random, same_and_differentiable};
    use super::*;

    #[test]
    fn linear_agrees_with_its_composition() {
        for (rows, width, out) in [(1, 3, 5), (7, 16, 4), (19, 5, 33)] {
            let arguments = [random(&[rows, width], 1), random(&[out, width], 2), random(&[out], 3)];
            same_and_differentiable(&arguments, |a| linear(&a[0], &a[1], &a[2]), |a| composed(&a[0], &a[1], &a[2]));
        }
    }
}
