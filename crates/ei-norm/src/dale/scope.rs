//! How [`Weight`](super::Weight) describes the visited parameter to the traversals of this crate.
//!
//! Burn's traversal hands a visitor only a parameter and the names around it, and names can belong to any
//! module. The description is therefore put into a thread-local variable of this crate for the duration of
//! the visit.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::TensorData;

use super::{NonNegative, Plasticity, Role, Sign};

/// The description of a weight's parameter.
#[derive(Clone, Default)]
pub(crate) struct Announcement {
    /// Whether the stored values must be ≥ 0 and an optimizer or another mapper could make them negative.
    pub constrained: bool,
    /// None if the parameter is not a weight.
    pub plasticity: Option<Plasticity>,
    pub role: Option<Role>,
    /// The weight, for a visitor; None if the parameter is not a weight.
    pub weight: Option<Visible>,
}

/// Reads values from the device.
pub(crate) type Values = Rc<dyn Fn() -> TensorData>;

/// A weight as a visitor sees it.
#[derive(Clone)]
pub(crate) struct Visible {
    pub sign: Sign,
    /// The computed values.
    pub values: Values,
    pub storage: Storage,
    /// Where a masked weight has connections, as booleans.
    pub exists: Option<Values>,
}

/// The meaning of the stored tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// The weight itself.
    Value,
    /// The base of a reparameterization of this crate, which keeps the sign.
    Base(NonNegative),
    /// The base of another reparameterization, such as LoRA.
    OtherBase,
}

/// Burn's name for the level of a reparameterization's own parameters.
pub(super) const REPARAMETERIZATION: &str = "Reparameterization";

thread_local! {
    static CURRENT: RefCell<Announcement> = RefCell::default();
}

/// The description of the parameter that is being visited.
pub(crate) fn announced() -> Announcement {
    CURRENT.with_borrow(Announcement::clone)
}

/// Whether the parameter that is being visited must be kept ≥ 0.
pub(crate) fn is_constrained() -> bool {
    CURRENT.with_borrow(|current| current.constrained)
}

/// Runs a visit of a parameter with its description.
pub(super) fn with<T>(announcement: Announcement, visit: impl FnOnce() -> T) -> T {
    /// Restores the previous description, also if the visitor panics.
    struct Restore(Announcement);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(std::mem::take(&mut self.0));
        }
    }
    let _restore = Restore(CURRENT.replace(announcement));
    visit()
}

/// Runs a visit without a description: of a parameter that is not a weight, or by a traversal that another
/// mapper may have started within the visit of a weight.
pub(super) fn silently<T>(visit: impl FnOnce() -> T) -> T {
    with(Announcement::default(), visit)
}
