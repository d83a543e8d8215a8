use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param,
};
use burn::tensor::{Bool, Device, Tensor};

use super::mask::Mask;
use super::{NonNegative, Role, Sign, on_inner, scope};
use crate::{Error, context, storage};

/// Whether a parameter learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plasticity {
    /// It learns.
    Plastic,
    /// It never does, whatever happens to the module: `train`, `unfreeze`, `fork` or a record leave
    /// it fixed.
    Fixed,
}

/// A parameter with a sign and a plasticity: Burn's [`Param`] (to which it dereferences) that Dale's
/// law knows about.
///
/// It can be used in modules of your own: a `Weight` with [`Sign::NonNegative`] is projected by
/// [`project`](super::project) wherever it stands. In paths and records it is an ordinary parameter.
///
/// # Masks
///
/// A mask ([`set_mask`](Self::set_mask)) says which of its elements are connections. The others are
/// exactly 0 and stay so: no error reaches them, and whatever an optimizer or another mapper writes
/// there is set to 0 again. A weight without a mask costs nothing more.
///
/// The mask is part of the record, as `<weight>.mask`. Whether there is one is not, as everywhere in
/// Burn: a record loads into a module of the same structure. So
///
/// - from masked to masked, the connections are those of the record;
/// - from unmasked to masked, Burn returns an error that names the missing `<weight>.mask`; with
///   `allow_partial(true)` the record's weights are cut to the module's mask;
/// - from masked to unmasked, the error names `<weight>.mask` as unused; with `allow_unused(true)`
///   the weights are loaded, zeros where there was no connection, and all of them learn.
#[derive(Clone)]
pub struct Weight<const D: usize> {
    param: Param<Tensor<D>>,
    mask: Option<Mask<D>>,
    sign: Sign,
    plasticity: Plasticity,
    role: Option<Role>,
    facts: Arc<Mutex<Option<Known<D>>>>,
}

/// What is known of a value that does not change.
#[derive(Clone, Copy)]
struct Facts {
    /// The value of every element, if they are all the same.
    uniform: Option<f64>,
    keeps_sign: bool,
}

/// Facts and the tensor that they hold for; a clone, so its memory is not given to another.
struct Known<const D: usize> {
    of: Tensor<D>,
    facts: Facts,
}

impl<const D: usize> Weight<D> {
    /// A new parameter with this value, without a [role](Self::with_role).
    pub fn new(value: Tensor<D>, sign: Sign, plasticity: Plasticity) -> Self {
        Self::from_param(Param::from_tensor(value.detach()), sign, plasticity)
    }

    fn from_param(param: Param<Tensor<D>>, sign: Sign, plasticity: Plasticity) -> Self {
        let weight = Self {
            param,
            mask: None,
            sign,
            plasticity,
            role: None,
            facts: Arc::default(),
        };
        weight.enforce_plasticity()
    }

    /// Replaces the value; the parameter gets a new identity, so an optimizer starts afresh with it.
    /// It keeps its mask and its role, and its autodiff association, whatever that of `value`; a
    /// reparameterization is gone.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shape differs.
    pub fn set(&mut self, name: &'static str, value: Tensor<D>) -> Result<(), Error> {
        let (found, expected) = (value.dims(), self.param.dims());
        if found != expected {
            return Err(Error::Shape {
                parameter: name,
                found: found.to_vec(),
                expected: expected.to_vec(),
            });
        }
        let value = context::associate(value, &self.param.base());
        let (mask, role) = (self.mask.take(), self.role);
        *self = Self::new(value, self.sign, self.plasticity).cut_to(mask);
        self.role = role;
        Ok(())
    }

    /// Replaces the value by `f` of it, outside of any graph; identity, association and
    /// mask stay.
    pub(crate) fn map_value(self, f: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Self {
        self.map_param(|param| param.map(|value| super::on_inner(value, f)))
            .enforce_mask()
    }

    /// Lets only the connections exist where `mask` is true, in place of those of an earlier mask. The
    /// values elsewhere are lost; the parameter keeps its identity. `name` is for the message of an
    /// error.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the mask has another shape than the weight.
    pub fn set_mask(&mut self, name: &'static str, mask: Tensor<D, Bool>) -> Result<(), Error> {
        *self = self.clone().with_mask(name, mask)?;
        Ok(())
    }

    /// The same parameter with a mask; see [`set_mask`](Self::set_mask).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the mask has another shape than the weight.
    pub fn with_mask(self, name: &'static str, mask: Tensor<D, Bool>) -> Result<Self, Error> {
        let mask = Mask::new(name, mask, self.param.dims(), &self.param.device())?;
        Ok(self.cut_to(Some(mask)))
    }

    /// The same parameter without a mask: the connections that were missing start at 0.
    pub fn without_mask(self) -> Self {
        Self { mask: None, ..self }
    }

    /// The mask, true where there is a connection; none if all exist.
    pub fn mask(&self) -> Option<Tensor<D, Bool>> {
        self.mask.as_ref().map(Mask::exists)
    }

    fn cut_to(self, mask: Option<Mask<D>>) -> Self {
        Self { mask, ..self }.enforce_mask()
    }

    /// The sign that the parameter keeps.
    pub fn sign(&self) -> Sign {
        self.sign
    }

    /// Whether the parameter learns.
    pub fn plasticity(&self) -> Plasticity {
        self.plasticity
    }

    /// What the parameter does in its circuit, if it has a role there.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// The same parameter with a role, by which learning rates and optimizers find it.
    pub fn with_role(self, role: Role) -> Self {
        let role = Some(role);
        Self { role, ..self }
    }

    /// The same parameter, learning or fixed.
    pub fn with_plasticity(self, plasticity: Plasticity) -> Self {
        let param = match plasticity {
            Plasticity::Plastic => Module::set_require_grad(self.param, true),
            Plasticity::Fixed => self.param,
        };
        let (mask, role) = (self.mask, self.role);
        Self {
            mask,
            role,
            ..Self::from_param(param, self.sign, plasticity)
        }
    }

    /// The value to compute with: part of the graph if the parameter learns, a constant if not. No
    /// error reaches what the mask excludes.
    pub fn value(&self) -> Tensor<D> {
        let value = match self.plasticity {
            Plasticity::Plastic => self.param.val(),
            Plasticity::Fixed => self.param.val().detach(),
        };
        match &self.mask {
            Some(mask) => mask.apply(value),
            None => value,
        }
    }

    /// The value of every element, if they are all the same and the parameter is fixed.
    ///
    /// The values are read when this is first asked and after they changed, not at each call.
    pub fn uniform_value(&self) -> Option<f64> {
        match self.plasticity {
            Plasticity::Plastic => None,
            Plasticity::Fixed => self.facts().uniform,
        }
    }

    fn facts(&self) -> Facts {
        let value = self.param.val().inner();
        let value = match &self.mask {
            // Else the parameter has the zeros itself.
            Some(mask) if self.is_reparameterized() => mask.apply(value),
            _ => value,
        };
        let mut known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|k| storage::is_shared(&k.of, &value)) {
            return known.facts;
        }
        let data = value.to_data();
        let mut elements = data.iter::<f64>();
        let first = elements.next();
        let facts = Facts {
            uniform: first.filter(|first| elements.all(|v| v == *first)),
            keeps_sign: data.iter::<f64>().all(|v| v >= 0.0),
        };
        *known = Some(Known { of: value, facts });
        facts
    }

    fn announcement(&self) -> scope::Announcement {
        let mut announcement = scope::Announcement {
            sign: Some(self.sign),
            plasticity: Some(self.plasticity),
            role: self.role,
            effective: None,
            exists: self
                .mask
                .clone()
                .map(|mask| -> Rc<dyn Fn() -> _> { Rc::new(move || mask.exists().into_data()) }),
        };
        if self.is_reparameterized() {
            let weight = self.clone();
            announcement.sign = None;
            announcement.effective = Some(scope::Effective {
                sign: self.sign,
                values: Rc::new(move || weight.value().inner().into_data()),
                form: NonNegative::of(&self.param),
            });
        }
        announcement
    }

    /// To a mapper no sign is announced where the parameter cannot break it, and no value is held.
    fn announcement_to_mapper(&self) -> scope::Announcement {
        let settled = self.plasticity == Plasticity::Fixed && self.facts().keeps_sign;
        let bound = !settled && !self.is_reparameterized();
        scope::Announcement {
            sign: bound.then_some(self.sign),
            plasticity: Some(self.plasticity),
            role: self.role,
            ..scope::Announcement::default()
        }
    }

    /// A reparameterized weight holds a base that is not the weight: its sign is the
    /// reparameterization's business.
    fn is_reparameterized(&self) -> bool {
        #[derive(Default)]
        struct Seen(bool);
        impl ModuleVisitor for Seen {
            fn enter_module(&mut self, _name: &str, container_type: &str) {
                self.0 |= container_type == "Reparameterization";
            }
        }
        let mut seen = Seen::default();
        self.param.visit(&mut seen);
        seen.0
    }

    fn enforce_plasticity(mut self) -> Self {
        if self.plasticity == Plasticity::Fixed {
            // The module's method: the parameter's own would drop a reparameterization.
            self.param = Module::set_require_grad(self.param, false);
        }
        self
    }

    /// Sets to 0 what the mask excludes, so that it is 0 in the parameter too. The base of a
    /// reparameterized weight stays: only [`value`](Self::value) is cut.
    fn enforce_mask(self) -> Self {
        match &self.mask {
            Some(mask) if !self.is_reparameterized() => {
                let param = self
                    .param
                    .map(|value| on_inner(value, |value| mask.apply(value)));
                Self { param, ..self }
            }
            _ => self,
        }
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

// By hand, because the derive would put a level between the weight's name and its parameter.
impl<const D: usize> Module for Weight<D> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.param.collect_devices(devices)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        scope::with(self.announcement(), || self.param.visit(visitor));
        if let Some(mask) = &self.mask {
            scope::silently(|| mask.visit(visitor));
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let announcement = self.announcement_to_mapper();
        self.map_param(|param| scope::with(announcement, || Module::map(param, mapper)))
            .map_mask(|mask| scope::silently(|| mask.map(mapper)))
            .enforce_mask()
    }

    fn fork(self, device: &Device) -> Self {
        self.map_param(|param| param.fork(device))
            .map_mask(|mask| mask.moved_to(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_param(|param| param.to_device(device))
            .map_mask(|mask| mask.moved_to(device))
    }

    fn valid(&self) -> Self {
        self.clone().map_param(|param| param.valid())
    }

    fn train(self) -> Self {
        self.map_param(Module::train)
    }

    fn materialize(self) -> Self {
        self.map_param(Module::materialize).enforce_mask()
    }
}

impl<const D: usize> ModuleDisplayDefault for Weight<D> {
    fn content(&self, content: Content) -> Option<Content> {
        self.param.content(content)
    }
}

impl<const D: usize> ModuleDisplay for Weight<D> {}
