use burn::module::Module;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};

use crate::Error;
use crate::check::{check_not_negative, or_panic};
use crate::dale::{Role, Roles};

/// Configuration of learning rates by [`Role`]: a base rate or schedule, and others for the parameters with
/// given roles.
///
/// ```
/// use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
/// use burn::prelude::*;
/// use ei_norm::EiLinearConfig;
/// use ei_norm::optim::RoleLrSchedulerConfig;
///
/// # fn main() -> Result<(), ei_norm::Error> {
/// let layer = EiLinearConfig::new(8, 4).init(&Device::flex());
/// let mut scheduler = RoleLrSchedulerConfig::new(0.01)
///     .with_inhibitory_in(0.6)
///     .with_inhibitory_out(CosineAnnealingLrSchedulerConfig::new(0.003, 1000))
///     .try_init(&layer)?;
/// let rates = scheduler.step(); // for `ModuleOptimizer::step`
/// assert_eq!(rates.lr_from_param(layer.w_ex.id, None), 0.01);
/// assert_eq!(rates.lr_from_param(layer.circuit.w_ix.unwrap().id, None), 0.6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct RoleLrSchedulerConfig {
    base: LrSchedulerConfig,
    roles: Vec<(Vec<Role>, LrSchedulerConfig)>,
}

impl RoleLrSchedulerConfig {
    /// A base rate or schedule, for every parameter without another.
    pub fn new(base: impl Into<LrSchedulerConfig>) -> Self {
        Self {
            base: base.into(),
            roles: Vec::new(),
        }
    }

    /// Sets the rate or schedule for the parameters with one of these roles. The last matching setting
    /// counts.
    #[must_use]
    pub fn with(mut self, roles: &[Role], scheduler: impl Into<LrSchedulerConfig>) -> Self {
        self.roles.push((roles.to_vec(), scheduler.into()));
        self
    }

    /// Sets the rate or schedule for W_ex.
    #[must_use]
    pub fn with_excitatory(self, scheduler: impl Into<LrSchedulerConfig>) -> Self {
        self.with(&[Role::Excitatory], scheduler)
    }

    /// Sets the rate or schedule for W_ix and U_ix, into the inhibitory units.
    #[must_use]
    pub fn with_inhibitory_in(self, scheduler: impl Into<LrSchedulerConfig>) -> Self {
        self.with(&Role::INTO_INHIBITION, scheduler)
    }

    /// Sets the rate or schedule for W_ei and U_ei, out of the inhibitory units.
    #[must_use]
    pub fn with_inhibitory_out(self, scheduler: impl Into<LrSchedulerConfig>) -> Self {
        self.with(&Role::OUT_OF_INHIBITION, scheduler)
    }

    /// Sets the rate or schedule for biases.
    #[must_use]
    pub fn with_bias(self, scheduler: impl Into<LrSchedulerConfig>) -> Self {
        self.with(&[Role::Bias], scheduler)
    }

    /// The scheduler of this module; see [`try_init`](Self::try_init).
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    #[track_caller]
    pub fn init<M: Module>(&self, module: &M) -> ModuleLrScheduler {
        or_panic(self.try_init(module))
    }

    /// The scheduler of this module. It knows parameters by identity, so make it after loading a record; see
    /// [`Roles::group`].
    ///
    /// # Errors
    ///
    /// [`Error::Schedule`] if Burn refuses a schedule, [`Error::Config`] if a constant rate is negative or not
    /// finite.
    pub fn try_init<M: Module>(&self, module: &M) -> Result<ModuleLrScheduler, Error> {
        let schedules = self.roles.iter().map(|(_, scheduler)| scheduler);
        for scheduler in schedules.chain([&self.base]) {
            if let LrSchedulerConfig::Constant(rate) = scheduler {
                check_not_negative("the learning rate", *rate)?;
            }
        }
        let found = Roles::of(module);
        let mut config = ModuleLrSchedulerConfig::new(self.base.clone());
        for (roles, scheduler) in &self.roles {
            config = config.with_group(found.group(roles), scheduler.clone());
        }
        config.init().map_err(Error::Schedule)
    }
}
