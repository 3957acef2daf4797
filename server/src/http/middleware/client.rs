//! Whose address counts: that of the connection, or what trusted proxies say.
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};

use crate::http::Portal;

/// The caller's address, after the trusted proxies; `None` in tests without a connection.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub Option<IpAddr>);

/// An address or a network: `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    length: u32,
    v4: bool,
}

fn bits(ip: IpAddr) -> (u128, u32, bool) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32, true),
        IpAddr::V6(ip) => (u128::from(ip), 128, false),
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length.parse::<u32>().map_err(|_| ())?)),
            None => (text, None),
        };
        let (bits, whole, v4) = bits(ip.parse().map_err(|_| ())?);
        let length = length.unwrap_or(whole);
        if length > whole {
            return Err(());
        }
        Ok(Self { bits, length, v4 })
    }
}

impl Network {
    /// Whether an address lies in it.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        let (bits, whole, v4) = bits(ip);
        let drop = whole - self.length.min(whole);
        v4 == self.v4
            && bits.checked_shr(drop).unwrap_or(0) == self.bits.checked_shr(drop).unwrap_or(0)
    }
}

/// The other end of the connection.
#[must_use]
pub fn peer(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(info.0.ip().to_canonical())
}

/// Reads the chain from the near end, as far as the proxies are ours: what stands further away was
/// written by whoever asks.
#[must_use]
pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let ours = |ip: IpAddr| trusted.iter().any(|network| network.holds(ip));
    let mut client = peer;
    let chain: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for said in chain.iter().rev() {
        if !ours(client) {
            break;
        }
        match said.trim().parse::<IpAddr>() {
            Ok(ip) => client = ip.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

/// Puts the [`Client`] into the request.
pub async fn layer(State(portal): State<Portal>, mut request: Request, next: Next) -> Response {
    let client = peer(&request).map(|peer| of(peer, request.headers(), &portal.proxies));
    request.extensions_mut().insert(Client(client));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for one in forwarded {
            headers.append("x-forwarded-for", one.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|one| one.parse().unwrap()).collect();
        of(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_can_not_forward() {
        assert_eq!(chain("1.2.3.4", &["9.9.9.9"], &[]), "1.2.3.4");
        assert_eq!(chain("1.2.3.4", &["9.9.9.9"], &["10.0.0.0/8"]), "1.2.3.4");
    }

    #[test]
    fn the_chain_is_believed_as_far_as_it_is_ours() {
        let ours = &["10.0.0.0/8", "::1"];
        assert_eq!(chain("10.0.0.1", &["9.9.9.9"], ours), "9.9.9.9");
        assert_eq!(
            chain("10.0.0.1", &["6.6.6.6, 9.9.9.9, 10.1.1.1"], ours),
            "9.9.9.9"
        );
        assert_eq!(chain("10.0.0.1", &["6.6.6.6", "9.9.9.9"], ours), "9.9.9.9");
        assert_eq!(chain("10.0.0.1", &["nonsense"], ours), "10.0.0.1");
        assert_eq!(
            chain("::ffff:10.0.0.1", &["2001:db8::1"], ours),
            "2001:db8::1"
        );
    }

    #[test]
    fn networks_hold_what_lies_in_them() {
        let net: Network = "10.1.0.0/16".parse().unwrap();
        assert!(net.holds("10.1.255.1".parse().unwrap()));
        assert!(!net.holds("10.2.0.1".parse().unwrap()));
        let all: Network = "::/0".parse().unwrap();
        assert!(
            all.holds("2001:db8::1".parse().unwrap()) && !all.holds("10.0.0.1".parse().unwrap())
        );
        assert!("10.0.0.0/33".parse::<Network>().is_err() && "x".parse::<Network>().is_err());
    }
}
