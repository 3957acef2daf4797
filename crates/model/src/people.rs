//! Units, people, roles, and which roles exclude each other.

use serde::{Deserialize, Serialize};

use crate::id::UnitId;
use crate::msg::{FieldError, Msg};
use crate::text;
use crate::words;

words! {
    /// Level of a unit in the administration (市, 县, 乡镇, 村).
    pub enum UnitLevel {
        /// 市 (or 地区).
        City = "city",
        /// 县（市、区）.
        County = "county",
        /// 乡镇（街道）.
        Township = "township",
        /// 村（社区）.
        Village = "village",
    }
}

words! {
    /// Kind of a unit.
    pub enum UnitKind {
        /// The administrative area itself (市, 县): a node that holds units.
        Area = "area",
        /// 党委部门.
        Party = "party",
        /// 政府委办局.
        Government = "government",
        /// 事业单位.
        Institution = "institution",
    }
}

words! {
    /// A role (角色, `domain.md` 3.2).
    pub enum Role {
        /// 申请人: drafts, submits, withdraws, confirms delivery.
        Applicant = "applicant",
        /// 部门负责人: approves the first stage of the own unit and its subtree.
        DeptLeader = "dept_leader",
        /// 主管部门审核: first examination of subordinate units.
        UpperReviewer = "upper_reviewer",
        /// 初审: the cloud office's technical check; keeps the catalogue's content.
        Reviewer = "reviewer",
        /// 安全员: zone and protection level.
        SecurityOfficer = "security_officer",
        /// 财政: budget check and price book.
        Finance = "finance",
        /// 分管领导: final approval over thresholds; reads all summaries.
        Leader = "leader",
        /// 运维: stuck orders, work orders, delivery.
        Operator = "operator",
        /// 电子监察: reads everything, approves nothing.
        Auditor = "auditor",
        /// 系统管理员: units, users, configuration.
        SystemAdmin = "system_admin",
        /// 安全管理员: roles, lock-outs, policies.
        SecurityAdmin = "security_admin",
        /// 审计管理员: the audit log, nothing else.
        AuditAdmin = "audit_admin",
    }
}

words! {
    /// How far a role reaches from the unit on which it is given.
    pub enum Reach {
        /// That unit alone.
        Own = "own",
        /// That unit and everything below it.
        Subtree = "subtree",
        /// The whole site.
        Site = "site",
    }
}

impl Role {
    /// The widest reach with which the role may be given: a clerk never sees the whole city.
    pub const fn widest(self) -> Reach {
        match self {
            Self::Applicant => Reach::Own,
            Self::DeptLeader | Self::UpperReviewer => Reach::Subtree,
            _ => Reach::Site,
        }
    }

    /// Whether the role takes part in business (orders, approvals, delivery).
    pub const fn is_business(self) -> bool {
        !matches!(
            self,
            Self::SystemAdmin | Self::SecurityAdmin | Self::AuditAdmin | Self::Auditor
        )
    }

    /// Whether the role decides on steps of approvals. What an approval policy gives to another
    /// one, nobody would ever see.
    pub const fn decides(self) -> bool {
        matches!(
            self,
            Self::DeptLeader
                | Self::UpperReviewer
                | Self::Reviewer
                | Self::SecurityOfficer
                | Self::Finance
                | Self::Leader
        )
    }

    /// Whether one person may hold both roles (三权分立, GB/T 22239 level three).
    pub fn may_join(self, other: Self) -> bool {
        if self == other {
            return true;
        }
        let powers = [Self::SystemAdmin, Self::SecurityAdmin, Self::AuditAdmin];
        // The audit administrator and the auditor hold nothing else; the other two powers stay apart.
        let alone = [Self::AuditAdmin, Self::Auditor];
        if alone.contains(&self) || alone.contains(&other) {
            return false;
        }
        if powers.contains(&self) || powers.contains(&other) {
            // No administrator takes part in business, and no two powers meet in one person.
            return false;
        }
        true
    }
}

/// Checks that a set of roles may be held by one person.
///
/// # Errors
/// Names the first pair that excludes each other.
pub fn check_roles(roles: &[Role]) -> Result<(), Msg> {
    for (i, a) in roles.iter().enumerate() {
        for b in roles.iter().skip(i + 1) {
            if !a.may_join(*b) {
                return Err(Msg::new("people.roles_exclude")
                    .with("one", Msg::new(role_key(*a)))
                    .with("other", Msg::new(role_key(*b))));
            }
        }
    }
    Ok(())
}

/// Key of a role's name in the dictionaries.
pub fn role_key(role: Role) -> String {
    format!("role.{role}")
}

/// A role that a user holds, with the unit on which it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The unit on which it was given.
    pub unit: UnitId,
    /// How far it reaches.
    pub reach: Reach,
}

/// A login name: 3 to 32 lower-case letters, digits, `.`, `-`, `_`, a letter first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "String", into = "String")]
pub struct LoginName(String);

impl LoginName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Reads a login name; capital and full-width letters are folded.
    ///
    /// # Errors
    /// A message about `field`.
    pub fn parse(field: &str, typed: &str) -> Result<Self, FieldError> {
        let name = text::half_width(typed.trim()).to_ascii_lowercase();
        let fits = (3..=32).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if fits {
            Ok(Self(name))
        } else {
            Err(FieldError::new(field, Msg::new("error.login_name")))
        }
    }
}
impl TryFrom<String> for LoginName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse("login", &text).map_err(|_| "not a login name".to_owned())
    }
}
impl From<LoginName> for String {
    fn from(name: LoginName) -> Self {
        name.0
    }
}

/// Checks a new password: 10 to 128 characters, three of the four kinds (capital, small, digit,
/// sign), and not the login name in it (GB/T 22239: at least 8 and mixed).
///
/// # Errors
/// A message about `field`.
pub fn check_password(field: &str, login: &LoginName, password: &str) -> Result<(), FieldError> {
    let length = password.chars().count();
    if length < 10 {
        return Err(FieldError::new(
            field,
            Msg::new("error.password_short").with("min", 10_i64),
        ));
    }
    if length > 128 {
        return Err(FieldError::new(
            field,
            Msg::new("error.too_long")
                .with("max", 128_i64)
                .with("now", i64::try_from(length).unwrap_or(i64::MAX)),
        ));
    }
    let kinds = [
        password.chars().any(char::is_uppercase),
        password.chars().any(char::is_lowercase),
        password.chars().any(|c| c.is_ascii_digit()),
        password.chars().any(|c| !c.is_alphanumeric()),
    ];
    if kinds.iter().filter(|k| **k).count() < 3 {
        return Err(FieldError::new(field, Msg::new("error.password_simple")));
    }
    if password.to_lowercase().contains(login.as_str()) {
        return Err(FieldError::new(field, Msg::new("error.password_has_login")));
    }
    Ok(())
}

/// Failed sign-ins in a row that lock an account.
pub const LOCK_AFTER_FAILURES: i64 = 5;
/// How long a lock lasts, in minutes.
pub const LOCK_MINUTES: i64 = 30;
/// After how many minutes without an act of the user a session ends.
pub const IDLE_MINUTES: i64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_powers_are_three_people_and_take_no_part_in_business() {
        use Role::*;
        for a in [SystemAdmin, SecurityAdmin, AuditAdmin] {
            for b in Role::ALL {
                assert_eq!(a.may_join(*b), a == *b, "{a} with {b}");
                assert_eq!(b.may_join(a), a == *b, "{b} with {a}");
            }
        }
    }

    #[test]
    fn an_auditor_approves_nothing_because_he_holds_nothing_else() {
        assert!(check_roles(&[Role::Auditor, Role::DeptLeader]).is_err());
        assert!(check_roles(&[Role::Applicant, Role::DeptLeader]).is_ok());
    }

    #[test]
    fn passwords_are_long_mixed_and_not_the_login() {
        let login = LoginName::parse("login", " ＺｈａｎｇSan ").unwrap();
        assert_eq!(login.as_str(), "zhangsan");
        for bad in ["Ab1!", "abcdefghijkl", "Zhangsan-2026"] {
            assert!(check_password("password", &login, bad).is_err(), "{bad}");
        }
        assert!(check_password("password", &login, "Lingbao-2026").is_ok());
    }
}
