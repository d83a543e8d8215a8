//! Conversion between the parameters of a case and layers and networks.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use ei_norm::circuit::NormalizedOver;
use ei_norm::functional::{BackwardRule, Normalization};
use ei_norm::{
    EiLinear, EiWeights, GradNorm, GradNormConfig, GradNormMode, INormLinear, INormWeights,
    InhibitoryPlasticity,
};
use luminosity::network::{Hidden, Mlp, NormalizedEi};

use super::cases::Scope;
use super::compare::Found;
use super::format::{Array, CaseError, Spec, Value};

type Parameters<'a> = &'a dyn Fn(&str) -> Option<&'a Array>;

impl<'a> Scope<'a> {
    pub(super) fn build_network(
        &self,
        spec: &Spec,
        layers: &'a [BTreeMap<String, Array>],
    ) -> Result<Mlp, CaseError> {
        let Some((readout, hidden)) = layers.split_last() else {
            return Err(CaseError::missing("layers"));
        };
        let hidden = hidden
            .iter()
            .map(|layer| match spec.hidden.as_str() {
                "ei" | "e_only" => {
                    let normalization = match spec.norm.as_deref() {
                        None | Some("none") => None,
                        Some(kind) => Some((
                            parse_normalization(kind)?,
                            parse_rule(require("backward", spec.backward.as_deref())?)?,
                        )),
                    };
                    Ok(Hidden::Ei(NormalizedEi {
                        layer: self.build_ei(&|name| layer.get(name))?,
                        normalization,
                        over: NormalizedOver::Features,
                        epsilon: self.epsilon,
                    }))
                }
                "i_norm" | "i_norm_subtractive" => {
                    let grad_norm = self.build_grad_norm(spec.error_norm.as_deref())?;
                    let layer = self.build_i_norm(&|name| layer.get(name), grad_norm, None)?;
                    Ok(Hidden::INorm(layer))
                }
                other => Err(CaseError::Form(format!("no such hidden layer: `{other}`"))),
            })
            .collect::<Result<Vec<_>, CaseError>>()?;
        Ok(Mlp {
            hidden,
            readout: self.build_ei(&|name| readout.get(name))?,
            clip_errors: None,
        })
    }

    pub(super) fn build_ei(&self, parameter: Parameters<'a>) -> Result<EiLinear, CaseError> {
        let w_ex = parameter("w_ex").ok_or_else(|| CaseError::missing("w_ex"))?;
        let inhibition = parameter("w_ix").zip(parameter("w_ei"));
        let weights = EiWeights {
            w_ex: self.matrix(w_ex),
            inhibition: inhibition.map(|(w_ix, w_ei)| (self.matrix(w_ix), self.matrix(w_ei))),
            bias: parameter("bias").map(|bias| self.tensor(bias, &self.autodiff)),
        };
        Ok(EiLinear::from_weights(weights)?)
    }

    pub(super) fn build_i_norm(
        &self,
        parameter: Parameters<'a>,
        grad_norm: GradNorm,
        plasticity: Option<InhibitoryPlasticity>,
    ) -> Result<INormLinear, CaseError> {
        let matrix = |name: &str| {
            let array = parameter(name).ok_or_else(|| CaseError::missing(name))?;
            Ok::<_, CaseError>(self.matrix(array))
        };
        let divisive = parameter("u_ix").zip(parameter("u_ei"));
        let learns = InhibitoryPlasticity::of_paper(divisive.is_some());
        Ok(INormLinear::from_weights(INormWeights {
            w_ex: matrix("w_ex")?,
            w_ix: matrix("w_ix")?,
            w_ei: matrix("w_ei")?,
            divisive: divisive.map(|(u_ix, u_ei)| (self.matrix(u_ix), self.matrix(u_ei))),
            bias: parameter("bias").map(|bias| self.tensor(bias, &self.autodiff)),
            grad_norm,
            plasticity: plasticity.unwrap_or(learns),
            epsilon: self.epsilon,
            over: Default::default(),
        })?)
    }

    pub(super) fn build_grad_norm(&self, mode: Option<&str>) -> Result<GradNorm, CaseError> {
        let mode: GradNormMode = mode.unwrap_or("identity").parse()?;
        if mode == GradNormMode::Lateral {
            let weights = self.require_input("lateral_weights")?;
            return Ok(GradNorm::with_lateral_weights(
                self.tensor(weights, &self.autodiff),
            ));
        }
        let features = match self.case.inputs.get("layers") {
            Some(Value::Layers(layers)) => layers.first().and_then(|layer| layer.get("w_ex")),
            _ => self.input("w_ex"),
        };
        let features = features.ok_or_else(|| CaseError::missing("w_ex"))?.shape[0];
        Ok(GradNormConfig::new(features)
            .with_mode(mode)
            .with_epsilon(self.epsilon)
            .init(&self.autodiff))
    }
}

/// The parameters of a layer by name, in the layout of a case: their values, or their gradients; none for a
/// parameter without a gradient.
pub(super) fn parameters(layer: &impl Module, grads: Option<&Gradients>) -> Found {
    struct Collect<'a> {
        name: String,
        found: Found,
        grads: Option<&'a Gradients>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.name = name.to_owned();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = match self.grads {
                Some(grads) => param.val().grad(grads),
                None => Some(param.val()),
            };
            let array = value.map(|value| match D {
                2 => Array::of(value.transpose()),
                _ => Array::of(value),
            });
            self.found.insert(self.name.clone(), array);
        }
    }
    let mut collect = Collect {
        name: String::new(),
        found: Found::new(),
        grads,
    };
    layer.visit(&mut collect);
    let mut found = collect.found;
    // The normalization of errors, not a weight of the layer.
    found.remove("lateral_weights");
    found
}

pub(super) fn require<'a>(key: &str, value: Option<&'a str>) -> Result<&'a str, CaseError> {
    value.ok_or_else(|| CaseError::missing(key))
}

pub(super) fn parse_normalization(name: &str) -> Result<Normalization, CaseError> {
    match name {
        "layer" => Ok(Normalization::Layer),
        "mean" => Ok(Normalization::Mean),
        "divisive" => Ok(Normalization::Divisive),
        other => Err(CaseError::Form(format!("no such normalization: `{other}`"))),
    }
}

pub(super) fn parse_rule(name: &str) -> Result<BackwardRule, CaseError> {
    match name {
        "exact" => Ok(BackwardRule::Exact),
        "detached" => Ok(BackwardRule::Detached),
        "straight_through" => Ok(BackwardRule::StraightThrough),
        other => Err(CaseError::Form(format!("no such backward rule: `{other}`"))),
    }
}
