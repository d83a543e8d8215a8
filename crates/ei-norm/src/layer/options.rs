//! The options of circuits and geometries as methods of a layer's configuration.

use burn::nn::PaddingConfig2d;

use super::{Conv2d, Geometry, LayerConfig, Recurrent};
use crate::circuit::{
    ColumnEiOptions, EiOptions, INormOptions, InhibitoryPlasticity, NormalizedOver, Options,
    ShuntingOptions,
};
use crate::init::{EiInitializer, Inhibitory};
use crate::{GradNormMode, NonNegativeActivation};

macro_rules! setters {
    ([$($other:tt)*] $config:ty, $part:ident: $options:ident {
        $($setter:ident: $field:ident: $value:ty;)*
    }) => {
        impl<$($other)*> $config {
            $(
                #[doc = concat!("See [`", stringify!($options), "::", stringify!($field), "`].")]
                #[must_use]
                pub fn $setter(mut self, $field: impl Into<$value>) -> Self {
                    self.$part.$field = $field.into();
                    self
                }
            )*
        }
    };
}

setters!([G: Geometry] LayerConfig<EiOptions, G>, circuit: EiOptions {
    with_inhibitory: inhibitory: Inhibitory;
    with_bias: bias: bool;
    with_initializer: initializer: EiInitializer;
});

setters!([G: Geometry] LayerConfig<INormOptions, G>, circuit: INormOptions {
    with_inhibitory: inhibitory: Inhibitory;
    with_bias: bias: bool;
    with_initializer: initializer: EiInitializer;
    with_divisive: divisive: bool;
    with_grad_norm: grad_norm: GradNormMode;
    with_plasticity: plasticity: Option<InhibitoryPlasticity>;
    with_epsilon: epsilon: f64;
    with_over: over: NormalizedOver;
});

setters!([G: Geometry] LayerConfig<ShuntingOptions, G>, circuit: ShuntingOptions {
    with_inhibitory: inhibitory: Inhibitory;
    with_bias: bias: bool;
    with_first_layer: first_layer: bool;
    with_iid_inhibition: iid_inhibition: bool;
    with_epsilon: epsilon: f64;
});

setters!([G: Geometry] LayerConfig<ColumnEiOptions, G>, circuit: ColumnEiOptions {
    with_ratio: ratio: f64;
    with_bias: bias: bool;
});

setters!([O: Options] LayerConfig<O, Conv2d>, geometry: Conv2d {
    with_stride: stride: [usize; 2];
    with_dilation: dilation: [usize; 2];
    with_padding: padding: PaddingConfig2d;
});

setters!([O: Options] LayerConfig<O, Recurrent>, geometry: Recurrent {
    with_activation: activation: NonNegativeActivation;
    with_autapses: autapses: bool;
    with_batch_first: batch_first: bool;
});
