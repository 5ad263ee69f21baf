/* The parameters of a domain, as a source sends them. */
#ifndef TESTS_UNIT_XEN_GUEST_H
#define TESTS_UNIT_XEN_GUEST_H

/* The members that every source sends. */
#define DISK "\"allocated\":0,\"source\":\"/vm/a\",\"uid\":0,\"gid\":0"
#define DEVICE "\"frontend_keys\":{},\"is_connected\":true"
#define DOMAIN                                                                                     \
    "\"machine\":\"xenfv\",\"program\":\"/"                                                        \
    "dm\",\"program_chosen\":false,\"qemu_major\":8,\"qemu_minor\":0,"                             \
    "\"needs\":[],\"hashes\":[],\"renamed\":{},\"domid\":1,\"boot\":\"\",\"source_name\":\"web\"," \
    "\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef\",\"rtc_timeoffset\":\"\",\"control\":{},"    \
    "\"platform\":{},\"hvmloader\":{},\"memory_target\":0,\"videoram\":0,\"xen_major\":4,\"xen_"   \
    "minor\":17,"                                                                                  \
    "\"vcpus\":1,\"paging_pool\":0,\"emulation\":0,\"tsc_mode\":0,\"hpet\":0,\"vpt_align\":0,"     \
    "\"timer_mode\":0,\"altp2m\":0,\"hap\":true,\"schedule\":{},\"cpu_policy\":{\"leaves\":\"\","  \
    "\"msrs\":\"\"}"

/* A guest as libxl makes it, with one disk, a CD-ROM and a network interface. %s: more. */
static const char xen_guest[] =
    "{\"name\":\"web\",\"memory\":1,"
    "\"disks\":[{\"name\":\"xvda\",\"size\":7,\"image\":\"/vm/a\"," DISK "}%s],"
    "\"xen\":{\"pages\":256,\"max_pages\":512,"
    "\"media\":[{\"name\":\"hdc\",\"id\":\"5632\",\"drive\":\"ide-5632\",\"source\":\"/iso/a\","
    "\"image\":\"/iso/a\"}%s],"
    "\"devices\":[{\"kind\":\"vbd\",\"id\":\"51712\",\"backend\":\"vbd\",\"backend_keys\":"
    "{\"dev\":\"xvda\",\"params\":\"/old/a\"}," DEVICE "},"
    "{\"kind\":\"vbd\",\"id\":\"5632\",\"backend\":\"qdisk\",\"backend_keys\":"
    "{\"dev\":\"hdc\",\"params\":\"aio:/iso/a\",\"device-type\":\"cdrom\",\"mode\":\"r\"}," DEVICE
    "},"
    "{\"kind\":\"vif\",\"id\":\"0\",\"backend\":\"vif\",\"backend_keys\":"
    "{\"bridge\":\"xenbr0\",\"script\":\"/etc/xen/scripts/vif-bridge\"}," DEVICE "}%s],"
    "\"words\":[\"-xen-domid\",\"@DOMID@\",\"-chardev\","
    "\"socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-@DOMID@,server=on,wait=off\","
    "\"-vnc\",\"127.0.0.1:0,to=99\",\"-m\",\"504\",\"-netdev\","
    "\"type=tap,id=nic0,ifname=vif@DOMID@.0-emu,br=xenbr0,script=no,downscript=no\","
    "\"-drive\",\"file=/vm/a,if=ide,format=raw\",\"-drive\","
    "\"if=ide,readonly=on,media=cdrom,id=ide-5632,file=/iso/a,format=raw\"%s],"
    "\"config\":{\"c_info\":{\"type\":\"hvm\",\"name\":\"web\",\"run_hotplug_scripts\":\"True\"},"
    "\"b_info\":{\"max_memkb\":%s,\"device_model_version\":\"qemu_xen\",\"type.hvm\":"
    "{\"vnc\":{\"enable\":\"True\",\"listen\":\"127.0.0.1\"},\"serial\":\"pty\"}%s},"
    "\"disks\":[{\"pdev_path\":\"/old/a\",\"vdev\":\"xvda\",\"readwrite\":1},"
    "{\"pdev_path\":\"/iso/a\",\"vdev\":\"hdc\"}%s],\"nics\":[{\"bridge\":\"xenbr0\",\"script\":"
    "\"/etc/xen/scripts/vif-bridge\"%s}]%s}," DOMAIN "}}";

#endif
