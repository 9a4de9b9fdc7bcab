"""Two real bluetooth-meshd on two linked controllers of btvirt: one makes a network and provisions the nodes that the
other one plays, over PB-ADV, without out-of-band data. Needs bluez-meshd, bluez-test-tools, python3-dbus, python3-gi.

bluetoothd must not run: meshd takes its controller from the kernel (HCI's user channel). Each daemon has a bus of its
own, as both want the same name on it, and is preloaded with meshshim.c, which says why."""
import glob
import os
import subprocess
import sys
import time
import uuid

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from lab import BUILD, Lab, LabError, wait_until  # noqa: E402

MESH = "org.bluez.mesh"
MESHD = "/usr/libexec/bluetooth/bluetooth-meshd"
SHIM = os.path.join(BUILD, "tests", "vm", "peer", "meshshim.so")
CONFIG_SERVER, CONFIG_CLIENT = 0x0000, 0x0001  # models that an element has to have
NET_INDEX, FIRST_ADDRESS = 0, 0x0100
TRIES_S, AGAIN_S = 20, 0.25


def turn_until(what, test, timeout=60.0):
    """Lets the daemons call us until test() is true; returns its value."""
    end = time.monotonic() + timeout
    tick = GLib.timeout_add(50, lambda: True)
    try:
        while not test():
            if time.monotonic() > end:
                raise LabError("meshd: gave up waiting for " + what)
            GLib.MainContext.default().iteration(True)
    finally:
        GLib.source_remove(tick)
    return test()


def call(method, *args):
    """The answer to a call; the daemon asks us before it gives one."""
    answers = []
    method(*args, reply_handler=lambda *values: answers.append(values), error_handler=answers.append)
    answer = turn_until("an answer", lambda: answers)[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


class Part(dbus.service.Object):
    """An object of an application: its path and its properties by interface."""

    def __init__(self, bus, path, properties):
        super().__init__(bus, path)
        self.path, self.properties = path, properties

    @dbus.service.method(dbus.PROPERTIES_IFACE, "s", "a{sv}")
    def GetAll(self, interface):
        return self.properties.get(interface, {})


class Application(Part):
    """What org.bluez.mesh wants to see of whoever has a node: one element, an agent that knows no secret, and itself."""

    def __init__(self, bus, path, model, is_provisioner=False):
        own = {MESH + ".Application1": {"CompanyID": dbus.UInt16(0xffff), "ProductID": dbus.UInt16(1),
                                        "VersionID": dbus.UInt16(1), "CRPL": dbus.UInt16(32)}}
        if is_provisioner:
            own[MESH + ".Provisioner1"] = {}
        super().__init__(bus, path, own)
        none = dbus.Array([], "s")
        models = dbus.Array([(dbus.UInt16(model), dbus.Dictionary({}, "sv"))], "(qa{sv})")
        element = {"Index": dbus.Byte(0), "Models": models, "VendorModels": dbus.Array([], "(qqa{sv})")}
        agent = {"Capabilities": none, "OutOfBandInfo": none}
        self.parts = [self, Part(bus, path + "/element", {MESH + ".Element1": element}),
                      Part(bus, path + "/agent", {MESH + ".ProvisionAgent1": agent})]
        self.token = self.failure = None
        self.events = {}  # of the provisioning that goes on: when it came

    @dbus.service.method("org.freedesktop.DBus.ObjectManager", "", "a{oa{sa{sv}}}")
    def GetManagedObjects(self):
        return {dbus.ObjectPath(p.path): p.properties for p in self.parts}

    @dbus.service.method(MESH + ".Application1", "t", "")
    def JoinComplete(self, token):
        self.token = token

    @dbus.service.method(MESH + ".Application1", "s", "")
    def JoinFailed(self, reason):
        self.failure = "JoinFailed: " + reason

    # --- a provisioner's -----------------------------------------------------------------------

    def note(self, event):
        self.events.setdefault(event, time.monotonic())

    @dbus.service.method(MESH + ".Provisioner1", "naya{sv}", "")
    def ScanResult(self, _rssi, data, _options):
        if bytes(data[:16]) == self.wanted:
            self.note("heard")

    @dbus.service.method(MESH + ".Provisioner1", "y", "qq")
    def RequestProvData(self, _elements):
        self.note("authenticated")
        return dbus.UInt16(NET_INDEX), dbus.UInt16(self.address)

    @dbus.service.method(MESH + ".Provisioner1", "ayqy", "")
    def AddNodeComplete(self, device, unicast, _elements):
        if bytes(device) != self.wanted or unicast != self.address:
            self.failure = "another node was provisioned"
        self.note("provisioned")

    @dbus.service.method(MESH + ".Provisioner1", "ays", "")
    def AddNodeFailed(self, _device, reason):
        self.failure = "AddNodeFailed: " + reason

    def wait(self, event):
        turn_until(event, lambda: self.failure or event in self.events)
        if self.failure:
            raise LabError("meshd: " + self.failure)


class Meshd(Lab):
    """A bluetooth-meshd with its bus and its controller."""

    def __init__(self, controller):
        super().__init__()
        os.mkdir(self.path("nodes"))
        self.spawn("meshd", [MESHD, "--nodetach", "--io", "generic:" + controller, "--storage", self.path("nodes")],
                   env={"LD_PRELOAD": SHIM, "DBUS_SYSTEM_BUS_ADDRESS": self.start_bus()})
        self.bus = dbus.bus.BusConnection(self.bus_address)
        wait_until("meshd on " + controller, lambda: self.bus.name_has_owner(MESH), 60, 0.2)
        self.network = dbus.Interface(self.bus.get_object(MESH, "/org/bluez/mesh", introspect=False), MESH + ".Network1")

    def interface(self, path, name):
        return dbus.Interface(self.bus.get_object(MESH, path, introspect=False), MESH + "." + name)


def controllers():
    """Those that the kernel has made ready, and has shut down again as nobody used them."""
    names = sorted(os.path.basename(p) for p in glob.glob("/sys/class/bluetooth/hci?"))
    text = "".join(subprocess.run(["hciconfig", n], text=True, stdout=subprocess.PIPE).stdout for n in names)
    return names if len(names) == 2 and "00:00:00:00:00:00" not in text else []


class Pair:
    """The provisioner and its network; it provisions one node after the other."""

    def __init__(self):
        self.labs = [Lab()]

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.end(True)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.end(kind is not None)

    def end(self, is_failure):
        for lab in self.labs:
            if is_failure:
                lab.show_logs()
            lab.close()

    def begin(self):
        DBusGMainLoop(set_as_default=True)
        subprocess.run(["modprobe", "algif_aead"], check=True)
        self.labs[0].spawn("btvirt", ["btvirt", "-l2"])
        names = wait_until("the controllers", controllers, 30, 0.5)
        for name in names:
            subprocess.run(["hciconfig", name, "down"], check=True)
            self.labs.append(Meshd(name))
        self.provisioner, self.node = self.labs[1:]
        self.app = Application(self.provisioner.bus, "/provisioner", CONFIG_CLIENT, is_provisioner=True)
        call(self.provisioner.network.CreateNetwork, dbus.ObjectPath(self.app.path), dbus.ByteArray(uuid.uuid4().bytes))
        turn_until("the network", lambda: self.app.token is not None)
        path, _ = call(self.provisioner.network.Attach, dbus.ObjectPath(self.app.path), self.app.token)
        self.management = self.provisioner.interface(path, "Management1")
        self.count = 0

    def new_node(self):
        """A device that wants to be provisioned. meshd refuses to have one while the link of the last one is still being
        closed, of whose end it does not tell."""
        app = Application(self.node.bus, "/node%d" % self.count, CONFIG_SERVER)
        device = uuid.uuid4().bytes
        end = time.monotonic() + TRIES_S
        while True:
            try:
                call(self.node.network.Join, dbus.ObjectPath(app.path), dbus.ByteArray(device))
                return app, device
            except dbus.DBusException:
                if time.monotonic() > end:
                    raise
            again = time.monotonic() + AGAIN_S
            turn_until("another try", lambda: time.monotonic() > again)

    def provision(self):
        """The moments of one node: start (of the search), heard, authenticated, provisioned."""
        self.app.address = FIRST_ADDRESS + self.count
        self.count += 1
        node, self.app.wanted = self.new_node()
        self.app.events = {"start": time.monotonic()}
        call(self.management.UnprovisionedScan, dbus.Dictionary({"Seconds": dbus.UInt16(0)}, "sv"))
        self.app.wait("heard")
        call(self.management.AddNode, dbus.ByteArray(self.app.wanted), dbus.Dictionary({}, "sv"))
        self.app.wait("provisioned")
        turn_until("the node's own word", lambda: node.failure or node.token is not None)
        if node.failure:
            raise LabError("meshd: the node: " + node.failure)
        return self.app.events
