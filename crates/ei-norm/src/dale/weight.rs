use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param,
};
use burn::tensor::{Device, Tensor};

use super::{Role, Sign, scope};
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
#[derive(Clone)]
pub struct Weight<const D: usize> {
    param: Param<Tensor<D>>,
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
            sign,
            plasticity,
            role: None,
            facts: Arc::default(),
        };
        weight.enforce_plasticity()
    }

    /// Replaces the value; the parameter gets a new identity, so an optimizer starts afresh with it.
    /// It keeps its autodiff association, whatever that of `value`; a reparameterization is gone.
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
        let role = self.role;
        *self = Self::new(value, self.sign, self.plasticity);
        self.role = role;
        Ok(())
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
        let role = self.role;
        Self {
            role,
            ..Self::from_param(param, self.sign, plasticity)
        }
    }

    /// The value to compute with: part of the graph if the parameter learns, a constant if not.
    pub fn value(&self) -> Tensor<D> {
        match self.plasticity {
            Plasticity::Plastic => self.param.val(),
            Plasticity::Fixed => self.param.val().detach(),
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
        };
        if self.is_reparameterized() {
            let weight = self.clone();
            let values: Rc<dyn Fn() -> _> = Rc::new(move || weight.value().inner().into_data());
            announcement.sign = None;
            announcement.effective = Some((self.sign, values));
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
            effective: None,
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
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let announcement = self.announcement_to_mapper();
        self.map_param(|param| scope::with(announcement, || Module::map(param, mapper)))
    }

    fn fork(self, device: &Device) -> Self {
        self.map_param(|param| param.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_param(|param| param.to_device(device))
    }

    fn valid(&self) -> Self {
        self.clone().map_param(|param| param.valid())
    }

    fn train(self) -> Self {
        self.map_param(Module::train)
    }

    fn materialize(self) -> Self {
        self.map_param(Module::materialize)
    }
}

impl<const D: usize> ModuleDisplayDefault for Weight<D> {
    fn content(&self, content: Content) -> Option<Content> {
        self.param.content(content)
    }
}

impl<const D: usize> ModuleDisplay for Weight<D> {}
