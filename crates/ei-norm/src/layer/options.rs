//! The options of the circuits as methods of a layer's configuration, in every geometry.

use super::{Geometry, LayerConfig};
use crate::GradNormMode;
use crate::circuit::{
    ColumnEiOptions, EiOptions, INormOptions, InhibitoryPlasticity, NormalizedOver, ShuntingOptions,
};
use crate::init::{EiInitializer, Inhibitory};

macro_rules! setters {
    ($options:ident { $($setter:ident: $field:ident: $value:ty;)* }) => {
        impl<G: Geometry> LayerConfig<$options, G> {
            $(
                #[doc = concat!("See [`", stringify!($options), "::", stringify!($field), "`].")]
                #[must_use]
                pub fn $setter(mut self, $field: impl Into<$value>) -> Self {
                    self.circuit.$field = $field.into();
                    self
                }
            )*
        }
    };
}

setters!(EiOptions {
    with_inhibitory: inhibitory: Inhibitory;
    with_bias: bias: bool;
    with_initializer: initializer: EiInitializer;
});

setters!(INormOptions {
    with_inhibitory: inhibitory: Inhibitory;
    with_bias: bias: bool;
    with_initializer: initializer: EiInitializer;
    with_divisive: divisive: bool;
    with_grad_norm: grad_norm: GradNormMode;
    with_plasticity: plasticity: Option<InhibitoryPlasticity>;
    with_epsilon: epsilon: f64;
    with_over: over: NormalizedOver;
});

setters!(ShuntingOptions {
    with_inhibitory: inhibitory: Inhibitory;
    with_bias: bias: bool;
    with_first_layer: first_layer: bool;
    with_iid_inhibition: iid_inhibition: bool;
    with_epsilon: epsilon: f64;
});

setters!(ColumnEiOptions {
    with_ratio: ratio: f64;
    with_bias: bias: bool;
});
