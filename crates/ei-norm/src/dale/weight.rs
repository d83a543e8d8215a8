use std::ops::Deref;
use std::rc::Rc;

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param,
};
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};

use super::mask::Mask;
use super::scope::{self, Storage, Values, Visible};
use super::{NonNegative, Role, Sign, on_inner};
use crate::autodiff::node_of;
use crate::check::{check, check_shape};
use crate::{Error, context, read};

/// Whether a parameter learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Plasticity {
    /// It learns.
    Plastic,
    /// It never learns: it stays fixed after `train`, `unfreeze`, `fork` and the loading of a record.
    Fixed,
}

/// A parameter with a sign and a plasticity: a [`Param`] of Burn, to which it dereferences, under Dale's law.
///
/// Other modules can use it too: [`project`](super::project) projects every `Weight` with
/// [`Sign::NonNegative`] at any depth of a module. In paths and records it is an ordinary parameter.
///
/// [`val`](Self::val) is the value to compute with; [`Param::base`] is the stored tensor. They differ if the
/// weight is reparameterized or quantized. `weight.grad(&grads)` is the gradient of the stored tensor.
///
/// # Masks
///
/// A mask ([`set_mask`](Self::set_mask)) says which elements are connections. The other elements are always
/// exactly 0: no error reaches them, and values that an optimizer or another mapper writes there are set to 0
/// again. A weight without a mask has no additional cost.
///
/// The mask is part of the record, as `<weight>.mask`. As everywhere in Burn, a record must be loaded into a
/// module of the same structure, so the presence of a mask is not recorded:
///
/// - from masked to masked, the module takes the mask of the record;
/// - from unmasked to masked, Burn returns an error that names the missing `<weight>.mask`; with
///   `allow_partial(true)` the record's weights are cut to the module's mask;
/// - from masked to unmasked, the error names `<weight>.mask` as unused; with `allow_unused(true)` the
///   weights are loaded, missing connections as zeros, and all elements learn.
#[derive(Clone)]
pub struct Weight<const D: usize> {
    param: Param<Tensor<D>>,
    mask: Option<Mask<D>>,
    sign: Sign,
    plasticity: Plasticity,
    role: Option<Role>,
    facts: Option<Facts>,
}

/// Facts about the values of a fixed weight. The values are read when the weight is made and when they are
/// replaced, and at no other time.
#[derive(Debug, Clone)]
struct Facts {
    /// The matrices over the last two axes; none if one of them has several values other than 0.
    corners: Option<Vec<Corner>>,
    keeps_sign: bool,
}

/// A matrix that has one value in its first rows and columns, and 0 elsewhere.
#[derive(Debug, Clone)]
struct Corner {
    value: f64,
    /// The number of rows and columns that are not 0.
    shape: [usize; 2],
}

impl Facts {
    fn of(values: &TensorData) -> Self {
        let elements: Vec<f64> = values.iter().collect();
        let [rows, columns] = last_axes(values.shape());
        let matrices = elements.chunks((rows * columns).max(1));
        Self {
            corners: matrices.map(|matrix| Corner::of(matrix, columns)).collect(),
            keeps_sign: elements.iter().all(|v| *v >= 0.0),
        }
    }
}

impl Corner {
    fn of(matrix: &[f64], columns: usize) -> Option<Self> {
        let (value, mut shape, mut count) = (matrix[0], [0, 0], 0);
        for (k, _) in matrix.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            shape = [k / columns + 1, shape[1].max(k % columns + 1)];
            count += 1;
        }
        let is_whole = count == shape[0] * shape[1];
        let same = |v: &f64| *v == value || *v == 0.0;
        (is_whole && matrix.iter().all(same)).then_some(Self { value, shape })
    }
}

/// The sizes of the last two axes; a vector counts as a single row.
fn last_axes(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [.., rows, columns] => [rows, columns],
        _ => [1, shape.iter().product()],
    }
}

impl<const D: usize> Weight<D> {
    /// A new parameter with this value, without a [role](Self::with_role).
    ///
    /// The values of a fixed weight are read from the device once.
    pub fn new(value: Tensor<D>, sign: Sign, plasticity: Plasticity) -> Self {
        let weight = Self {
            param: Param::from_tensor(value.detach()),
            mask: None,
            sign,
            plasticity,
            role: None,
            facts: None,
        };
        weight.enforce_plasticity().examined()
    }

    /// Replaces the value. The parameter gets a new identity, so an optimizer starts afresh with it. It keeps
    /// its mask, its role and its own autodiff association (not the association of `value`), and stays frozen
    /// if it is; it loses a reparameterization.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shape differs, [`Error::Config`] if the floating-point type differs.
    pub fn set(&mut self, value: Tensor<D>) -> Result<(), Error> {
        check_shape(self.name(), value.dims(), self.param.dims())?;
        let (found, own) = (value.dtype(), self.param.dtype());
        let allowed = "a tensor of the type of the weight";
        let found = format!("{found:?} in place of {own:?}");
        let is_allowed = value.dtype() == own || self.is_quantized();
        check(is_allowed, self.name(), found, allowed)?;
        let base = self.param.base();
        let value = value.inner().to_device(&base.clone().inner().device());
        let value = context::associate(value, &base);
        let (mask, role, is_frozen) = (self.mask.take(), self.role, self.is_frozen());
        let weight = Self::new(value, self.sign, self.plasticity).cut_to(mask);
        *self = Self { role, ..weight }.frozen_if(is_frozen);
        Ok(())
    }

    /// Whether the parameter would not learn in training: it is frozen or fixed.
    pub(crate) fn is_frozen(&self) -> bool {
        let base = match self.param.base() {
            base if base.is_autodiff() => base,
            // Without autodiff the tensor does not tell.
            _ => self.param.clone().train().base(),
        };
        !base.is_require_grad()
    }

    /// The same parameter; frozen if `is_frozen`.
    pub(crate) fn frozen_if(self, is_frozen: bool) -> Self {
        match is_frozen {
            true => self.map_param(|param| Module::set_require_grad(param, false)),
            false => self,
        }
    }

    /// Replaces the value by `f(value)`, outside of any graph; `f` must keep the sign. Identity, association
    /// and mask stay. Nothing is read from the device.
    pub(crate) fn map_value(self, f: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Self {
        let replace = |value| on_inner(dequantized(value), f);
        let mut weight = self.map_param(|param| param.map(replace));
        if let Some(facts) = &mut weight.facts {
            facts.corners = None;
        }
        weight.enforce_mask()
    }

    /// Restricts the connections to the elements where `mask` is true, in place of an earlier mask. The
    /// values elsewhere are lost, except the values of a reparameterized or quantized weight, which are only
    /// hidden; the parameter keeps its identity.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the mask has another shape than the weight.
    pub fn set_mask(&mut self, mask: Tensor<D, Bool>) -> Result<(), Error> {
        *self = self.clone().with_mask(mask)?;
        Ok(())
    }

    /// The same parameter with a mask; see [`set_mask`](Self::set_mask).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the mask has another shape than the weight.
    pub fn with_mask(self, mask: Tensor<D, Bool>) -> Result<Self, Error> {
        check_shape(self.name(), mask.dims(), self.param.dims())?;
        let mask = Mask::new(mask, &self.param.device());
        Ok(self.cut_to(Some(mask)))
    }

    /// The same parameter without a mask: the missing connections start at 0, those of a reparameterized or
    /// quantized weight at their stored value.
    #[must_use]
    pub fn without_mask(self) -> Self {
        Self { mask: None, ..self }
    }

    /// The mask, true where there is a connection; none if all connections exist.
    pub fn mask(&self) -> Option<Tensor<D, Bool>> {
        self.mask.as_ref().map(Mask::exists)
    }

    fn cut_to(self, mask: Option<Mask<D>>) -> Self {
        Self { mask, ..self }.enforce_mask().examined()
    }

    /// The name of the parameter in messages, given by its role.
    fn name(&self) -> &'static str {
        self.role.map_or("weight", Role::parameter)
    }

    /// The sign of the parameter.
    pub fn sign(&self) -> Sign {
        self.sign
    }

    /// Whether the parameter learns.
    pub fn plasticity(&self) -> Plasticity {
        self.plasticity
    }

    /// The role of the parameter in its circuit, if it has a role.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// The same parameter with a role, by which learning rates and optimizers find it.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self {
            role: Some(role),
            ..self
        }
    }

    /// The same parameter, learning or fixed.
    #[must_use]
    pub fn with_plasticity(self, plasticity: Plasticity) -> Self {
        let param = Module::set_require_grad(self.param, plasticity == Plasticity::Plastic);
        let weight = Self {
            param,
            plasticity,
            ..self
        };
        weight.examined()
    }

    /// The value to compute with: part of the graph if the parameter learns, a constant if not.
    ///
    /// A reparameterized weight is computed from its stored base and is never negative under
    /// [`Sign::NonNegative`]; a quantized weight is dequantized. No error reaches the elements that the mask
    /// excludes.
    #[must_use]
    pub fn val(&self) -> Tensor<D> {
        let value = dequantized(self.param.val());
        let value = match self.plasticity {
            Plasticity::Plastic => value,
            Plasticity::Fixed => value.detach(),
        };
        let value = match (self.sign, self.storage()) {
            (Sign::NonNegative, Storage::OtherBase) => value.clamp_min(0.0),
            _ => value,
        };
        match &self.mask {
            Some(mask) => mask.apply(value),
            None => value,
        }
    }

    /// The value of every element, if all are equal and the parameter is fixed. Nothing is read from the
    /// device.
    pub fn uniform_value(&self) -> Option<f64> {
        let whole = last_axes(&self.param.dims());
        let values = self.uniform_values(std::iter::repeat(whole))?;
        let first = *values.first()?;
        values.iter().all(|v| *v == first).then_some(first)
    }

    /// The value of each matrix of a fixed weight, if it is the same in all elements within the shape of the
    /// matrix, and 0 in all elements outside. Nothing is read from the device.
    pub(crate) fn uniform_values(
        &self,
        shapes: impl Iterator<Item = [usize; 2]>,
    ) -> Option<Vec<f64>> {
        let corners = self.facts.as_ref()?.corners.as_ref()?;
        let value = |(corner, shape): (&Corner, [usize; 2])| {
            (corner.value == 0.0 || corner.shape == shape).then_some(corner.value)
        };
        corners.iter().zip(shapes).map(value).collect()
    }

    /// The description for a traversal. A parameter is not constrained if its stored values cannot break the
    /// sign.
    fn announcement(&self, weight: Option<Visible>) -> scope::Announcement {
        let settled = self.facts.as_ref().is_some_and(|facts| facts.keeps_sign);
        scope::Announcement {
            constrained: self.sign == Sign::NonNegative && !settled && self.stores_values(),
            plasticity: Some(self.plasticity),
            role: self.role,
            weight,
        }
    }

    /// The weight for a visitor; it holds the value.
    fn visible(&self) -> Visible {
        let weight = self.clone();
        let exists = |mask: Mask<D>| -> Values { Rc::new(move || read::data(mask.exists())) };
        Visible {
            sign: self.sign,
            values: Rc::new(move || read::data(weight.val().inner())),
            storage: self.storage(),
            exists: self.mask.clone().map(exists),
        }
    }

    fn storage(&self) -> Storage {
        Storage::of(&self.param)
    }

    /// Whether the stored tensor holds the values of the weight as they are.
    fn stores_values(&self) -> bool {
        self.storage() == Storage::Value && !self.is_quantized()
    }

    fn is_quantized(&self) -> bool {
        matches!(self.param.dtype(), DType::QFloat(_))
    }

    fn enforce_plasticity(mut self) -> Self {
        if self.plasticity == Plasticity::Fixed {
            // The method of `Module`: the method of `Param` would drop a reparameterization.
            self.param = Module::set_require_grad(self.param, false);
        }
        self
    }

    /// Sets the elements that the mask excludes to 0 in the parameter too. The base of a reparameterized
    /// weight and quantized values stay: only [`val`](Self::val) is cut.
    fn enforce_mask(self) -> Self {
        let stores_values = self.stores_values();
        match &self.mask {
            Some(mask) if stores_values => {
                let cut = |value| on_inner(value, |value| mask.apply(value));
                let param = self.param.map(cut);
                Self { param, ..self }
            }
            _ => self,
        }
    }

    /// Records the facts about the values of a fixed weight.
    fn examined(self) -> Self {
        let facts = match (self.plasticity, self.storage()) {
            (Plasticity::Fixed, Storage::Value) => Some(Facts::of(&read::data(self.val().inner()))),
            _ => None,
        };
        Self { facts, ..self }
    }

    /// Whether a mapper has handed back the parameter and the mask unchanged: as the same tensors or, as an
    /// optimizer without gradients for them does, as tensors of the same node.
    fn is_untouched_in(&self, mapped: &Self) -> bool {
        let same_mask = match (&self.mask, &mapped.mask) {
            (Some(mask), Some(mapped)) => mask.is_untouched_in(mapped),
            (mask, mapped) => mask.is_none() && mapped.is_none(),
        };
        let node = |weight: &Self| node_of(Tensor::clone(&weight.param));
        let same = std::ptr::eq(&*self.param, &*mapped.param)
            || node(self).is_some_and(|own| node(mapped) == Some(own));
        same_mask && same && mapped.storage() == self.storage()
    }

    fn map_mask(self, f: impl FnOnce(Mask<D>) -> Mask<D>) -> Self {
        let mask = self.mask.map(f);
        Self { mask, ..self }
    }

    /// The parameter is moved through `f`, not shared with it, so that its memory can be reused.
    fn map_param(self, f: impl FnOnce(Param<Tensor<D>>) -> Param<Tensor<D>>) -> Self {
        let param = f(self.param);
        Self { param, ..self }.enforce_plasticity()
    }
}

impl Storage {
    fn of<const D: usize>(param: &Param<Tensor<D>>) -> Self {
        #[derive(Default)]
        struct Seen(bool);
        impl ModuleVisitor for Seen {
            fn enter_module(&mut self, _name: &str, container_type: &str) {
                self.0 |= container_type == scope::REPARAMETERIZATION;
            }
        }
        let mut seen = Seen::default();
        param.visit(&mut seen);
        match (seen.0, NonNegative::of(param)) {
            (false, _) => Self::Value,
            (true, Some(form)) => Self::Base(form),
            (true, None) => Self::OtherBase,
        }
    }
}

pub(super) fn dequantized<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    match value.dtype() {
        DType::QFloat(_) => value.dequantize(),
        _ => value,
    }
}

impl<const D: usize> Deref for Weight<D> {
    type Target = Param<Tensor<D>>;

    fn deref(&self) -> &Self::Target {
        &self.param
    }
}

impl<const D: usize> std::fmt::Debug for Weight<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weight")
            .field("param", &self.param)
            .field("sign", &self.sign)
            .field("plasticity", &self.plasticity)
            .field("role", &self.role)
            .field("masked", &self.mask.is_some())
            .finish()
    }
}

// Written by hand: the derive would put a level between the weight's name and its parameter.
impl<const D: usize> Module for Weight<D> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.param.collect_devices(devices)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        let announcement = self.announcement(Some(self.visible()));
        scope::with(announcement, || self.param.visit(visitor));
        if let Some(mask) = &self.mask {
            scope::silently(|| mask.visit(visitor));
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        // Without the value, so that a mapper can reuse its memory.
        let announcement = self.announcement(None);
        let fixed = (self.plasticity == Plasticity::Fixed).then(|| self.clone());
        let param = scope::with(announcement, || Module::map(self.param, mapper));
        let weight = Self { param, ..self }.map_mask(|mask| scope::silently(|| mask.map(mapper)));
        let untouched = fixed.is_some_and(|before| before.is_untouched_in(&weight));
        let weight = weight.enforce_plasticity();
        match untouched {
            true => weight,
            false => weight.enforce_mask().examined(),
        }
    }

    fn fork(self, device: &Device) -> Self {
        self.map_param(|param| param.fork(device))
            .map_mask(|mask| mask.moved_to(device))
    }

    /// Burn's `Param` stops learning if it is moved after its initialization; the weight goes on learning.
    fn to_device(self, device: &Device) -> Self {
        self.fork(device)
    }

    fn valid(&self) -> Self {
        self.clone().map_param(|param| param.valid())
    }

    fn train(self) -> Self {
        self.map_param(Module::train)
    }

    fn materialize(self) -> Self {
        let value = (self.storage() == Storage::OtherBase).then(|| self.val().inner());
        let weight = self.map_param(Module::materialize);
        match value {
            Some(value) => weight.map_value(|_| value).examined(),
            None => weight.enforce_mask(),
        }
    }
}

impl<const D: usize> ModuleDisplayDefault for Weight<D> {
    /// As for a `Param`, with what a `Weight` adds.
    fn content(&self, content: Content) -> Option<Content> {
        let id = match content.display_settings.show_param_id() {
            true => format!(", id: {}", self.param.id),
            false => String::new(),
        };
        let facts = [
            (self.plasticity == Plasticity::Fixed, ", fixed"),
            (self.mask.is_some(), ", masked"),
            (self.storage() != Storage::Value, ", reparameterized"),
        ];
        let facts: String = facts.iter().filter(|f| f.0).map(|f| f.1).collect();
        let (shape, sign) = (self.param.shape(), self.sign);
        let text = format!(
            "Weight {{shape: {:?}, {sign}{facts}{id}}}",
            shape.as_slice()
        );
        content.add_formatted(&text).optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl<const D: usize> ModuleDisplay for Weight<D> {}
