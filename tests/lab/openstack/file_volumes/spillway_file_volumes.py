# SPDX-License-Identifier: Apache-2.0
"""A volume driver that keeps each volume as a sparse file, and gives it to a QEMU guest as a loop device.

Cinder's own drivers want LVM, a file server or a cluster.  What Cinder's fake driver makes has no content, so that
no volume could be made from an image, nor a server boot from one.
"""
import os
import subprocess

from cinder.image import image_utils
from cinder.volume import driver


class FileVolumes(driver.VolumeDriver):
    VERSION = "1.0"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.folder = self.configuration.volumes_dir

    def check_for_setup_error(self):
        os.makedirs(self.folder, exist_ok=True)

    def local_path(self, volume):
        return os.path.join(self.folder, volume.id)

    def create_volume(self, volume):
        with open(self.local_path(volume), "wb") as file:
            file.truncate(volume.size << 30)

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        image_utils.fetch_to_raw(context, image_service, image_id, self.local_path(volume), "1M", size=volume.size)
        os.truncate(self.local_path(volume), volume.size << 30)

    def delete_volume(self, volume):
        self.detach(volume)
        if os.path.exists(self.local_path(volume)):
            os.unlink(self.local_path(volume))

    def attached(self, volume):
        told = subprocess.run(["losetup", "-nO", "NAME", "-j", self.local_path(volume)], stdout=subprocess.PIPE,
                              text=True, check=True)
        return told.stdout.split()

    def detach(self, volume):
        for device in self.attached(volume):
            subprocess.run(["losetup", "-d", device], check=False)

    def initialize_connection(self, volume, connector):
        """Servers of Nova's fake hypervisor only count what they have."""
        data = {"access_mode": "rw"}
        if connector.get("host", "").startswith("qemu-"):
            data["device_path"] = (self.attached(volume) or subprocess.run(
                ["losetup", "-f", "--show", self.local_path(volume)], stdout=subprocess.PIPE, text=True,
                check=True).stdout.split())[0]
        return {"driver_volume_type": "local", "data": data}

    def terminate_connection(self, volume, connector, **kwargs):
        self.detach(volume)

    def create_export(self, context, volume, connector):
        """Nothing is exported."""

    ensure_export = create_export

    def remove_export(self, context, volume):
        """Nothing was exported."""

    def _update_volume_stats(self):
        self._stats = {"volume_backend_name": self.configuration.safe_get("volume_backend_name"),
                       "vendor_name": "Spillway's lab", "driver_version": self.VERSION, "storage_protocol": "local",
                       "total_capacity_gb": 1000, "free_capacity_gb": 1000, "thin_provisioning_support": True,
                       "thick_provisioning_support": False, "max_over_subscription_ratio": "auto"}
