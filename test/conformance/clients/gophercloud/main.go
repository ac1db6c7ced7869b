// Leads gophercloud through its calls: `tour ANNOUNCE_TO`. What is next is announced, see announcements.ts.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/tags"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/external"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"github.com/gophercloud/gophercloud/v2/openstack/objectstorage/v1/containers"
	"github.com/gophercloud/gophercloud/v2/openstack/objectstorage/v1/objects"
	"github.com/gophercloud/gophercloud/v2/pagination"
)

var announceTo string

func announce(what, said string) {
	response, err := http.Post(announceTo+"/"+what, "text/plain", strings.NewReader(said))
	if err != nil {
		fail(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		fail(fmt.Errorf("%s %s was answered %d", what, said, response.StatusCode))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// What the call makes; a zero value where it is refused.
func call[T any](name string, run func() (T, error)) T {
	announce("begin", name)
	made, err := run()
	announce("end", outcomeOf(err))
	return made
}

func outcomeOf(err error) string {
	var refused gophercloud.ErrUnexpectedResponseCode
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return fmt.Sprint(refused.Actual)
	default:
		return fmt.Sprintf("%T", err)
	}
}

func done(name string, run func() error) {
	call(name, func() (any, error) { return nil, run() })
}

func all(name string, pager pagination.Pager) {
	done(name, func() error {
		_, err := pager.AllPages(context.Background())
		return err
	})
}

func first[T any](made *T) T {
	if made == nil {
		var none T
		return none
	}
	return *made
}

func yes() *bool {
	value := true
	return &value
}

func main() {
	announceTo = os.Args[1]
	ctx := context.Background()
	authOptions, endpointOptions, tlsConfig, err := clouds.Parse()
	if err != nil {
		fail(err)
	}
	authOptions.AllowReauth = true
	provider := call("NewProviderClient", func() (*gophercloud.ProviderClient, error) {
		return config.NewProviderClient(ctx, authOptions, config.WithTLSConfig(tlsConfig))
	})
	service := func(name string, open func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error)) *gophercloud.ServiceClient {
		client := call(name, func() (*gophercloud.ServiceClient, error) { return open(provider, endpointOptions) })
		if client == nil {
			os.Exit(0)
		}
		return client
	}
	identity := service("NewIdentityV3", openstack.NewIdentityV3)
	compute := service("NewComputeV2", openstack.NewComputeV2)
	network := service("NewNetworkV2", openstack.NewNetworkV2)
	image := service("NewImageV2", openstack.NewImageV2)
	volume := service("NewBlockStorageV3", openstack.NewBlockStorageV3)

	project := first(call("tokens.Get", func() (*tokens.Project, error) {
		return tokens.Get(ctx, identity, provider.Token()).ExtractProject()
	}))
	all("projects.ListAvailable", projects.ListAvailable(identity))

	// images
	made := first(call("images.Create", func() (*images.Image, error) {
		return images.Create(ctx, image, images.CreateOpts{Name: "conformance-go", DiskFormat: "raw", ContainerFormat: "bare", MinDisk: 1, Tags: []string{"tour"}, Properties: map[string]string{"os_distro": "debian"}}).Extract()
	}))
	done("imagedata.Upload", func() error {
		return imagedata.Upload(ctx, image, made.ID, strings.NewReader("content\n")).ExtractErr()
	})
	call("images.Get", func() (*images.Image, error) { return images.Get(ctx, image, made.ID).Extract() })
	call("images.Update", func() (*images.Image, error) {
		return images.Update(ctx, image, made.ID, images.UpdateOpts{images.ReplaceImageName{NewName: "conformance-go2"}, images.UpdateImageProperty{Op: images.AddOp, Name: "os_version", Value: "13"}}).Extract()
	})
	done("imagedata.Download", func() error {
		content, err := imagedata.Download(ctx, image, made.ID).Extract()
		if err == nil {
			content.Close()
		}
		return err
	})
	all("images.List", images.List(image, images.ListOpts{Tags: []string{"tour"}}))
	done("images.Delete", func() error { return images.Delete(ctx, image, made.ID).ExtractErr() })
	all("images.List by name", images.List(image, images.ListOpts{Name: "conformance"}))
	offered := ""
	if pages, err := images.List(image, images.ListOpts{Name: "conformance"}).AllPages(ctx); err == nil {
		if found, err := images.ExtractImages(pages); err == nil && len(found) > 0 {
			offered = found[0].ID
		}
	}

	// networks
	net := first(call("networks.Create", func() (*networks.Network, error) {
		return networks.Create(ctx, network, networks.CreateOpts{Name: "net", AdminStateUp: yes(), Description: "first"}).Extract()
	}))
	sub := first(call("subnets.Create", func() (*subnets.Subnet, error) {
		return subnets.Create(ctx, network, subnets.CreateOpts{NetworkID: net.ID, Name: "sub", CIDR: "10.77.0.0/24", IPVersion: 4, DNSNameservers: []string{"10.77.0.3"}, AllocationPools: []subnets.AllocationPool{{Start: "10.77.0.100", End: "10.77.0.249"}}}).Extract()
	}))
	outside := ""
	all("networks.List external", networks.List(network, external.ListOptsExt{ListOptsBuilder: networks.ListOpts{}, External: yes()}))
	if pages, err := networks.List(network, external.ListOptsExt{ListOptsBuilder: networks.ListOpts{}, External: yes()}).AllPages(ctx); err == nil {
		if found, err := networks.ExtractNetworks(pages); err == nil && len(found) > 0 {
			outside = found[0].ID
		}
	}
	router := first(call("routers.Create", func() (*routers.Router, error) {
		return routers.Create(ctx, network, routers.CreateOpts{Name: "router", AdminStateUp: yes(), GatewayInfo: &routers.GatewayInfo{NetworkID: outside}}).Extract()
	}))
	call("routers.AddInterface", func() (*routers.InterfaceInfo, error) {
		return routers.AddInterface(ctx, network, router.ID, routers.AddInterfaceOpts{SubnetID: sub.ID}).Extract()
	})
	call("routers.Update routes", func() (*routers.Router, error) {
		return routers.Update(ctx, network, router.ID, routers.UpdateOpts{Routes: &[]routers.Route{{DestinationCIDR: "10.79.0.0/24", NextHop: "10.77.0.9"}}}).Extract()
	})
	call("routers.Update no routes", func() (*routers.Router, error) {
		return routers.Update(ctx, network, router.ID, routers.UpdateOpts{Routes: &[]routers.Route{}}).Extract()
	})
	done("attributestags.Add", func() error { return attributestags.Add(ctx, network, "networks", net.ID, "blue").ExtractErr() })
	call("attributestags.List", func() ([]string, error) { return attributestags.List(ctx, network, "networks", net.ID).Extract() })
	all("networks.List by tag", networks.List(network, networks.ListOpts{Tags: "blue"}))
	all("subnets.List", subnets.List(network, subnets.ListOpts{NetworkID: net.ID}))
	group := first(call("groups.Create", func() (*groups.SecGroup, error) {
		return groups.Create(ctx, network, groups.CreateOpts{Name: "web", Description: "first"}).Extract()
	}))
	call("rules.Create", func() (*rules.SecGroupRule, error) {
		return rules.Create(ctx, network, rules.CreateOpts{SecGroupID: group.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: 80, PortRangeMax: 80}).Extract()
	})
	all("rules.List", rules.List(network, rules.ListOpts{SecGroupID: group.ID, Direction: "ingress"}))
	port := first(call("ports.Create", func() (*ports.Port, error) {
		return ports.Create(ctx, network, ports.CreateOpts{NetworkID: net.ID, Name: "port", SecurityGroups: &[]string{group.ID}, FixedIPs: []ports.IP{{SubnetID: sub.ID, IPAddress: "10.77.0.20"}}}).Extract()
	}))
	call("ports.Update", func() (*ports.Port, error) {
		return ports.Update(ctx, network, port.ID, ports.UpdateOpts{AllowedAddressPairs: &[]ports.AddressPair{{IPAddress: "10.77.0.21"}}}).Extract()
	})
	address := first(call("floatingips.Create", func() (*floatingips.FloatingIP, error) {
		return floatingips.Create(ctx, network, floatingips.CreateOpts{FloatingNetworkID: outside, PortID: port.ID}).Extract()
	}))
	call("floatingips.Get", func() (*floatingips.FloatingIP, error) { return floatingips.Get(ctx, network, address.ID).Extract() })

	// servers
	all("flavors.ListDetail", flavors.ListDetail(compute, nil))
	call("limits.Get", func() (*limits.Limits, error) { return limits.Get(ctx, compute, nil).Extract() })
	call("quotasets.GetDetail", func() (quotasets.QuotaDetailSet, error) {
		return quotasets.GetDetail(ctx, compute, project.ID).Extract()
	})
	call("keypairs.Create", func() (*keypairs.KeyPair, error) {
		return keypairs.Create(ctx, compute, keypairs.CreateOpts{Name: "key"}).Extract()
	})
	apart := first(call("servergroups.Create", func() (*servergroups.ServerGroup, error) {
		return servergroups.Create(ctx, compute, servergroups.CreateOpts{Name: "apart", Policies: []string{"anti-affinity"}}).Extract()
	}))
	compute.Microversion = "2.79"
	server := first(call("servers.Create", func() (*servers.Server, error) {
		return servers.Create(ctx, compute, keypairs.CreateOptsExt{
			CreateOptsBuilder: servers.CreateOpts{Name: "web", ImageRef: offered, FlavorRef: "conformance", Networks: []servers.Network{{Port: port.ID}}, Metadata: map[string]string{"role": "web"}, UserData: []byte("#cloud-config\n"), ConfigDrive: yes(), Tags: []string{"blue"}},
			KeyName:           "key",
		}, servers.SchedulerHintOpts{Group: apart.ID}).Extract()
	}))
	call("servers.Get", func() (*servers.Server, error) { return servers.Get(ctx, compute, server.ID).Extract() })
	all("servers.List", servers.List(compute, servers.ListOpts{Name: "web", Limit: 1}))
	all("servers.ListAddresses", servers.ListAddresses(compute, server.ID))
	call("servers.Update", func() (*servers.Server, error) {
		return servers.Update(ctx, compute, server.ID, servers.UpdateOpts{Name: "web2"}).Extract()
	})
	call("servers.UpdateMetadata", func() (map[string]string, error) {
		return servers.UpdateMetadata(ctx, compute, server.ID, servers.MetadataOpts{"colour": "blue"}).Extract()
	})
	call("tags.List", func() ([]string, error) { return tags.List(ctx, compute, server.ID).Extract() })
	call("servers.ShowConsoleOutput", func() (string, error) {
		return servers.ShowConsoleOutput(ctx, compute, server.ID, servers.ShowConsoleOutputOpts{Length: 1}).Extract()
	})
	done("servers.Stop", func() error { return servers.Stop(ctx, compute, server.ID).ExtractErr() })
	done("servers.Start", func() error { return servers.Start(ctx, compute, server.ID).ExtractErr() })
	done("servers.Reboot", func() error {
		return servers.Reboot(ctx, compute, server.ID, servers.RebootOpts{Type: servers.HardReboot}).ExtractErr()
	})
	done("servers.Resize", func() error {
		return servers.Resize(ctx, compute, server.ID, servers.ResizeOpts{FlavorRef: "conformance-large"}).ExtractErr()
	})
	done("servers.ConfirmResize", func() error { return servers.ConfirmResize(ctx, compute, server.ID).ExtractErr() })
	all("attachinterfaces.List", attachinterfaces.List(compute, server.ID))
	call("servers.Rebuild", func() (*servers.Server, error) {
		return servers.Rebuild(ctx, compute, server.ID, servers.RebuildOpts{ImageRef: offered}).Extract()
	})

	// volumes
	data := first(call("volumes.Create", func() (*volumes.Volume, error) {
		return volumes.Create(ctx, volume, volumes.CreateOpts{Name: "data", Size: 1, Metadata: map[string]string{"role": "models"}}, nil).Extract()
	}))
	call("volumes.Get", func() (*volumes.Volume, error) { return volumes.Get(ctx, volume, data.ID).Extract() })
	call("volumeattach.Create", func() (*volumeattach.VolumeAttachment, error) {
		return volumeattach.Create(ctx, compute, server.ID, volumeattach.CreateOpts{VolumeID: data.ID}).Extract()
	})
	all("volumeattach.List", volumeattach.List(compute, server.ID))
	done("volumes.Delete in use", func() error { return volumes.Delete(ctx, volume, data.ID, nil).ExtractErr() })
	done("volumeattach.Delete", func() error { return volumeattach.Delete(ctx, compute, server.ID, data.ID).ExtractErr() })
	done("volumes.ExtendSize", func() error {
		return volumes.ExtendSize(ctx, volume, data.ID, volumes.ExtendSizeOpts{NewSize: 2}).ExtractErr()
	})
	all("volumes.List", volumes.List(volume, volumes.ListOpts{Name: "data"}))
	all("snapshots.List", snapshots.List(volume, nil))
	done("volumes.Delete", func() error { return volumes.Delete(ctx, volume, data.ID, nil).ExtractErr() })

	// and back
	done("servers.Delete", func() error { return servers.Delete(ctx, compute, server.ID).ExtractErr() })
	call("servers.Get of none", func() (*servers.Server, error) { return servers.Get(ctx, compute, server.ID).Extract() })
	done("servergroups.Delete", func() error { return servergroups.Delete(ctx, compute, apart.ID).ExtractErr() })
	done("keypairs.Delete", func() error { return keypairs.Delete(ctx, compute, "key", nil).ExtractErr() })
	done("floatingips.Delete", func() error { return floatingips.Delete(ctx, network, address.ID).ExtractErr() })
	done("ports.Delete", func() error { return ports.Delete(ctx, network, port.ID).ExtractErr() })
	done("networks.Delete in use", func() error { return networks.Delete(ctx, network, net.ID).ExtractErr() })
	call("routers.RemoveInterface", func() (*routers.InterfaceInfo, error) {
		return routers.RemoveInterface(ctx, network, router.ID, routers.RemoveInterfaceOpts{SubnetID: sub.ID}).Extract()
	})
	done("routers.Delete", func() error { return routers.Delete(ctx, network, router.ID).ExtractErr() })
	done("groups.Delete", func() error { return groups.Delete(ctx, network, group.ID).ExtractErr() })
	done("networks.Delete", func() error { return networks.Delete(ctx, network, net.ID).ExtractErr() })

	if os.Args[2] != "true" {
		return
	}
	store := service("NewObjectStorageV1", openstack.NewObjectStorageV1)
	done("containers.Create", func() error { return containers.Create(ctx, store, "box", nil).Err })
	done("objects.Create", func() error {
		return objects.Create(ctx, store, "box", "object", objects.CreateOpts{Content: strings.NewReader("content")}).Err
	})
	all("objects.List", objects.List(store, "box", nil))
	call("objects.Download", func() ([]byte, error) {
		downloaded := objects.Download(ctx, store, "box", "object", nil)
		return downloaded.ExtractContent()
	})
	done("objects.Delete", func() error { return objects.Delete(ctx, store, "box", "object", nil).Err })
	done("containers.Delete", func() error { return containers.Delete(ctx, store, "box").Err })
}
