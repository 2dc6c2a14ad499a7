use std::time::Duration;

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::host::bindings::portscan::plugin::connection::{
    Datagram, Host, HostConnection, IoError, TlsOptions, TlsSession,
};
use crate::host::bindings::portscan::plugin::types::Transport;
use crate::host::convert;
use crate::host::fault::Breach;
use crate::host::limits::MAX_HANDLES;
use crate::host::state::CheckState;
use crate::net::conversation::Conversation;

/// What a guest's `connection` handle stands for.
pub struct Handle {
    conversation: Conversation,
    /// Bytes sent on this connection.
    sent: u64,
}

impl Handle {
    pub(in crate::host) fn new(conversation: Conversation) -> Handle {
        Handle { conversation, sent: 0 }
    }
}

/// What a host function returns: the guest's result, or the end of the guest.
type Answer<T> = wasmtime::Result<Result<T, IoError>>;

/// `connection`: bytes to and from the one endpoint under check.
///
/// Calls that wait end at the check's deadline with `timed-out`, so that the
/// guest can conclude from what it has.
impl HostConnection for CheckState {
    fn transport(&mut self, connection: Resource<Handle>) -> wasmtime::Result<Transport> {
        self.budget.call()?;
        let handle = handle(&mut self.table, &connection)?;
        Ok(convert::transport(handle.conversation.transport()))
    }

    async fn send(&mut self, connection: Resource<Handle>, data: Vec<u8>) -> Answer<()> {
        self.budget.call()?;
        let wait = self.remaining();
        let handle = handle(&mut self.table, &connection)?;
        let transport = handle.conversation.transport();
        if let Err(limit) = self.budget.send(data.len(), handle.sent, transport)? {
            return Ok(Err(IoError::OverBudget(limit)));
        }
        handle.sent += data.len() as u64;
        Ok(handle.conversation.send(&data, wait).await.map_err(convert::io_error))
    }

    async fn receive(
        &mut self,
        connection: Resource<Handle>,
        max: u32,
        wait: u32,
    ) -> Answer<Vec<u8>> {
        self.budget.call()?;
        let wait = self.clamp(wait);
        let left = match self.budget.may_receive() {
            Ok(left) => left,
            Err(limit) => return Ok(Err(IoError::OverBudget(limit))),
        };
        let handle = handle(&mut self.table, &connection)?;
        let received = handle.conversation.receive(left.min(max as usize), wait).await;
        self.budget.receive(received.as_ref().map_or(0, Vec::len));
        Ok(received.map_err(convert::io_error))
    }

    async fn receive_from(
        &mut self,
        connection: Resource<Handle>,
        max: u32,
        wait: u32,
    ) -> Answer<Datagram> {
        self.budget.call()?;
        let wait = self.clamp(wait);
        let left = match self.budget.may_receive() {
            Ok(left) => left,
            Err(limit) => return Ok(Err(IoError::OverBudget(limit))),
        };
        let handle = handle(&mut self.table, &connection)?;
        let received = handle.conversation.receive_from(left.min(max as usize), wait).await;
        self.budget.receive(received.as_ref().map_or(0, |datagram| datagram.bytes.len()));
        Ok(received
            .map(|datagram| Datagram { data: datagram.bytes, port: datagram.port })
            .map_err(convert::io_error))
    }

    async fn finish(&mut self, connection: Resource<Handle>) -> Answer<()> {
        self.budget.call()?;
        let wait = self.remaining();
        let handle = handle(&mut self.table, &connection)?;
        Ok(handle.conversation.finish(wait).await.map_err(convert::io_error))
    }

    async fn start_tls(
        &mut self,
        connection: Resource<Handle>,
        options: TlsOptions,
    ) -> Answer<TlsSession> {
        self.budget.call()?;
        let wait = self.remaining();
        let handle = handle(&mut self.table, &connection)?;
        let session = handle.conversation.start_tls(convert::tls_options(options), wait).await;
        Ok(session.map(convert::tls_session).map_err(convert::io_error))
    }

    async fn reconnect(&mut self, connection: Resource<Handle>) -> Answer<Resource<Handle>> {
        self.budget.call()?;
        let wait = self.remaining();
        let peer = handle(&mut self.table, &connection)?.conversation.peer().clone();
        if let Err(limit) = self.budget.connect()? {
            return Ok(Err(IoError::OverBudget(limit)));
        }
        match peer.connect(wait).await {
            Ok(conversation) => {
                let handle = self.table.push(Handle::new(conversation)).map_err(breach)?;
                Ok(Ok(handle))
            }
            Err(error) => Ok(Err(convert::io_error(error))),
        }
    }

    async fn drop(&mut self, connection: Resource<Handle>) -> wasmtime::Result<()> {
        self.budget.call()?;
        self.table.delete(connection).map_err(breach)?;
        Ok(())
    }
}

impl Host for CheckState {}

impl CheckState {
    /// What the guest wants to wait, and no longer than the check lasts.
    fn clamp(&self, wait: u32) -> Duration {
        Duration::from_millis(u64::from(wait)).min(self.remaining())
    }
}

fn handle<'a>(
    table: &'a mut ResourceTable,
    connection: &Resource<Handle>,
) -> wasmtime::Result<&'a mut Handle> {
    Ok(table.get_mut(connection).map_err(breach)?)
}

fn breach(error: ResourceTableError) -> Breach {
    match error {
        ResourceTableError::Full => Breach::Budget { what: "handles", cap: MAX_HANDLES as u64 },
        ResourceTableError::NotPresent
        | ResourceTableError::WrongType
        | ResourceTableError::HasChildren => Breach::Handle,
    }
}
