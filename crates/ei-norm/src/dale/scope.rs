//! How [`Weight`](super::Weight) tells a traversal of ours what it knows of the parameter that is
//! visited.
//!
//! Burn's traversal hands a visitor a parameter and the names around it, and a name can be anyone's.
//! So what a weight knows is put where only this crate can: in the thread, for the length of the
//! visit.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::TensorData;

use super::{NonNegative, Plasticity, Role, Sign};

/// What a weight says of its parameter.
#[derive(Clone, Default)]
pub(crate) struct Announcement {
    /// The sign that the stored values keep.
    pub sign: Option<Sign>,
    /// None outside of weights.
    pub plasticity: Option<Plasticity>,
    pub role: Option<Role>,
    /// Of a reparameterized weight, whose stored values are not the weight.
    #[cfg_attr(not(feature = "import"), allow(dead_code))]
    pub effective: Option<Effective>,
    /// The values that are computed with and the sign that they keep, where a visitor may want them.
    pub weight: Option<(Sign, Rc<dyn Fn() -> TensorData>)>,
    /// Of a masked weight: whether there is a connection, as booleans.
    #[cfg_attr(not(feature = "import"), allow(dead_code))]
    pub exists: Option<Rc<dyn Fn() -> TensorData>>,
}

/// The weight that a reparameterization makes of the stored values.
#[derive(Clone)]
#[cfg_attr(not(feature = "import"), allow(dead_code))]
pub(crate) struct Effective {
    pub sign: Sign,
    pub values: Rc<dyn Fn() -> TensorData>,
    /// None if it is not one of this crate.
    pub form: Option<NonNegative>,
}

thread_local! {
    static CURRENT: RefCell<Announcement> = RefCell::default();
}

/// What is known of the parameter that is being visited.
pub(crate) fn announced() -> Announcement {
    CURRENT.with_borrow(Announcement::clone)
}

/// The values and the sign of the weight that is being visited, at the first visit of one of its
/// parameters.
pub(super) fn take_weight() -> Option<(Sign, Rc<dyn Fn() -> TensorData>)> {
    CURRENT.with_borrow_mut(|current| current.weight.take())
}

/// The sign of the parameter that is being visited, if it is a weight of this crate.
pub(crate) fn sign() -> Option<Sign> {
    CURRENT.with_borrow(|current| current.sign)
}

/// The role of the parameter that is being visited, if it is a weight that has one.
pub(super) fn role() -> Option<Role> {
    CURRENT.with_borrow(|current| current.role)
}

/// Runs a visit of a parameter.
pub(super) fn with<T>(announcement: Announcement, visit: impl FnOnce() -> T) -> T {
    /// Restores what was before, also if the visitor panics.
    struct Restore(Announcement);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(std::mem::take(&mut self.0));
        }
    }
    let _restore = Restore(CURRENT.replace(announcement));
    visit()
}

/// Runs a traversal that may be within the visit of a weight, by another mapper, or a visit of what is
/// no weight.
pub(super) fn silently<T>(visit: impl FnOnce() -> T) -> T {
    with(Announcement::default(), visit)
}
