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
    /// The sign that the stored values keep.
    pub sign: Option<Sign>,
    /// None if the parameter is not a weight.
    pub plasticity: Option<Plasticity>,
    pub role: Option<Role>,
    /// The computed weight, if it is reparameterized.
    #[cfg_attr(not(feature = "import"), allow(dead_code))]
    pub effective: Option<Effective>,
    /// The computed values and their sign, for a visitor that needs them.
    pub weight: Option<(Sign, Rc<dyn Fn() -> TensorData>)>,
    /// Where a masked weight has connections, as booleans.
    #[cfg_attr(not(feature = "import"), allow(dead_code))]
    pub exists: Option<Rc<dyn Fn() -> TensorData>>,
}

/// The weight that a reparameterization computes from the stored values.
#[derive(Clone)]
#[cfg_attr(not(feature = "import"), allow(dead_code))]
pub(crate) struct Effective {
    pub sign: Sign,
    pub values: Rc<dyn Fn() -> TensorData>,
    /// None for a reparameterization of another crate.
    pub form: Option<NonNegative>,
}

thread_local! {
    static CURRENT: RefCell<Announcement> = RefCell::default();
}

/// The description of the parameter that is being visited.
pub(crate) fn announced() -> Announcement {
    CURRENT.with_borrow(Announcement::clone)
}

/// The values and the sign of the weight that is being visited; none after the first call in the visit.
pub(super) fn take_weight() -> Option<(Sign, Rc<dyn Fn() -> TensorData>)> {
    CURRENT.with_borrow_mut(|current| current.weight.take())
}

/// The sign of the parameter that is being visited, if it is a weight.
pub(crate) fn sign() -> Option<Sign> {
    CURRENT.with_borrow(|current| current.sign)
}

/// The role of the parameter that is being visited, if it has a role.
pub(super) fn role() -> Option<Role> {
    CURRENT.with_borrow(|current| current.role)
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
