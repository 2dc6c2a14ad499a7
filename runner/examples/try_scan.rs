//! throw-away
#![allow(clippy::print_stdout, clippy::print_stderr)]
use portscan::model::*; use portscan::net::*; use portscan::pipeline::scan::*; use portscan::plan::*;
use std::sync::Arc;
struct F<I: Iterator<Item=(u64,Arc<str>,Endpoint)>>{ it:I, n:usize, show:bool, counts: std::collections::BTreeMap<String,usize> }
impl<I: Iterator<Item=(u64,Arc<str>,Endpoint)>> Follow for F<I>{
 fn next_ask(&mut self)->Option<Ask>{ let (order,target,endpoint)=self.it.next()?; Some(Ask{order,target,endpoint,payloads:Payloads::Generic}) }
 fn keeps(&self,_:&Ask)->bool{false}
 fn probed(&mut self,p:Probed){ self.n+=1; *self.counts.entry(format!("{} {}",p.outcome.state,p.outcome.reason)).or_default()+=1; if self.show || p.outcome.state==PortState::Open {if std::env::var("TSV").is_ok() {println!("{}\t{}\t{}\t{}\t{}\t{}\t{}",p.outcome.target,p.outcome.endpoint.port(),p.outcome.endpoint.transport,p.outcome.state,p.outcome.reason,p.outcome.evidence.from.map(|f|f.to_string()).unwrap_or_default(),p.outcome.rtt.map(|r|(r.as_secs_f64()*1000.).to_string()).unwrap_or_default());} else {println!("{} {} {} from {:?} rtt {:?} att {}/{} ctl {:?} over {:?} notes {:?}",p.outcome.endpoint,p.outcome.state,p.outcome.reason,p.outcome.evidence.from,p.outcome.rtt,p.outcome.evidence.attempts,p.outcome.evidence.answered,p.outcome.evidence.control,p.outcome.evidence.over,p.outcome.notes);}} }
 fn turn(&mut self,_:usize,_:Moment)->bool{false}
}
fn main(){
 let a:Vec<String>=std::env::args().skip(1).collect();
 let mut blocks=vec![];
 let mut a=a; if a[0]=="-f" { a=std::fs::read_to_string(&a[1]).unwrap().lines().map(|l|l.to_string()).collect(); }
 for x in &a { let (host,p)=x.rsplit_once(':').unwrap(); let (p,t)=p.split_once('/').unwrap_or((p,"tcp")); let t=if t=="udp"{Transport::Udp}else{Transport::Tcp};
  let (lo,hi)=p.split_once('-').unwrap_or((p,p)); let (lo,hi):(u16,u16)=(lo.parse().unwrap(),hi.parse().unwrap());
  let h=host.trim_matches(['[',']']); let (h,z)=h.split_once('%').unwrap_or((h,""));
  let ip:std::net::IpAddr=h.parse().unwrap(); let sa=if z.is_empty(){std::net::SocketAddr::new(ip,0)}else{ let i=nix::net::if_::if_nametoindex(z).unwrap(); match ip {std::net::IpAddr::V6(v)=>std::net::SocketAddrV6::new(v,0,0,i).into(),_=>panic!()}};
  let ports:Vec<_>=(lo..=hi).enumerate().map(|(i,p)|(i as u32,p,t)).collect();
  blocks.push(Block{target:host.into(),hosts:Box::new(std::iter::once(sa)),ports:ports.into()}); }
 let limit=descriptor_limit().unwrap().min(12000);
 let prove=std::env::var("PROVE").is_ok();
 let s=Settings{max_listening:limit-64, rate: std::env::var("RATE").ok().map(|r|r.parse().unwrap()), prove_within: if prove {std::time::Duration::from_secs(100000)} else {std::time::Duration::from_secs(30)}, seed: 42, ..Default::default()};
 let mut net=LiveNet::new(limit-64,SourceBinding::default()).unwrap();
 let mut plan=Plan::new(s);
 let mut f=F{it:interleave(blocks.into_iter()),n:0,show:std::env::var("SHOW").is_ok(),counts:Default::default()};
 let place=Place{is_own:&|ip|ip.is_loopback()||std::env::var("OWN").is_ok_and(|o|o.split(',').any(|x|x==ip.to_string())),is_first_hop:&|_|false};
 let t=std::time::Instant::now();
 scan(&mut plan,&mut net,&place,&mut f);
 println!("{} in {:?} {:?}",f.n,t.elapsed(),f.counts);
}
