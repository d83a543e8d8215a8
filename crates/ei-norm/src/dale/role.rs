//! The roles of parameters in their circuits, for learning rates and optimizers that depend on them.

use burn::module::{Module, ParamGroup, ParamId};

use super::walk;

/// The role of a parameter in an excitatory/inhibitory circuit.
///
/// The layers of this crate give their parameters roles, except to the signs of a column layer and to lateral
/// weights, which never learn by gradients; in other modules, [`Weight::with_role`](super::Weight::with_role)
/// does. Traversals learn the role from the
/// [`Weight`](super::Weight) alone and never from the name of a field or a struct.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[non_exhaustive]
pub enum Role {
    /// W_ex, from the inputs to the outputs; in a layer with a single matrix, this matrix.
    Excitatory,
    /// W_ix, from the inputs to the inhibitory units that subtract.
    InhibitoryIn,
    /// W_ei, from the subtractive inhibitory units to the outputs.
    InhibitoryOut,
    /// U_ix of I-Norm, from the inputs to the inhibitory units that divide.
    DivisiveIn,
    /// U_ei, from the divisive inhibitory units to the outputs.
    DivisiveOut,
    /// α, the exponents of the inhibitory units in shunting inhibition.
    Shunting,
    /// g, a gain of the outputs.
    Gain,
    /// b.
    Bias,
}

impl Role {
    /// Into the inhibitory units: W_ix and U_ix.
    pub const INTO_INHIBITION: [Self; 2] = [Self::InhibitoryIn, Self::DivisiveIn];
    /// Out of the inhibitory units: W_ei and U_ei.
    pub const OUT_OF_INHIBITION: [Self; 2] = [Self::InhibitoryOut, Self::DivisiveOut];

    /// The name of the parameter in the layers of this crate.
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Excitatory => "w_ex",
            Self::InhibitoryIn => "w_ix",
            Self::InhibitoryOut => "w_ei",
            Self::DivisiveIn => "u_ix",
            Self::DivisiveOut => "u_ei",
            Self::Shunting => "alpha",
            Self::Gain => "gain",
            Self::Bias => "bias",
        }
    }
}

/// A parameter with a role, as recorded by [`Roles::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleOf {
    /// The role.
    pub role: Role,
    /// The identity of the parameter.
    pub id: ParamId,
    /// Its path in the module, as in a record.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl RoleOf {
    /// The path of the layer that the parameter is a field of; empty at the root.
    pub fn layer(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(layer, _)| layer)
    }
}

/// The parameters of a module that have a role.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::EiLinearConfig;
/// use ei_norm::dale::{Role, Roles};
///
/// let layer = EiLinearConfig::new(8, 4).init(&Device::flex());
/// let roles = Roles::of(&layer);
/// let group = roles.group(&Role::INTO_INHIBITION); // for Burn's `with_group`
/// assert!(group.matches(&layer.w_ix.as_ref().unwrap().id, None));
/// assert!(!group.matches(&layer.w_ex.id, None));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    parameters: Vec<RoleOf>,
}

impl Roles {
    /// The parameters of `module` that have a role, at any depth, in the order of a traversal.
    pub fn of<M: Module>(module: &M) -> Self {
        let mut parameters = Vec::new();
        walk(module, |visited| {
            let role = visited.announced.role.filter(|_| !visited.is_part);
            parameters.extend(role.map(|role| RoleOf {
                role,
                id: visited.id,
                path: visited.path,
                shape: visited.shape,
            }));
        });
        Self { parameters }
    }

    /// The parameters.
    pub fn iter(&self) -> impl Iterator<Item = &RoleOf> {
        self.parameters.iter()
    }

    /// The identities of the parameters with one of these roles.
    pub fn ids(&self, roles: &[Role]) -> Vec<ParamId> {
        let members = self.iter().filter(|p| roles.contains(&p.role));
        members.map(|p| p.id).collect()
    }

    /// The parameters with one of these roles as a group for Burn's `ModuleOptimizer::with_group` or
    /// `ModuleLrScheduler::with_group`. The group matches by identity, never by name.
    ///
    /// A loaded record gives the parameters of a module the identities of the record, so make groups after
    /// loading.
    pub fn group(&self, roles: &[Role]) -> ParamGroup {
        ParamGroup::from_ids(self.ids(roles))
    }
}
