"""The flow of a dye clip: a turbulent channel, and two fields that it carries.

A kinematic simulation: the stream function is a mean shear that follows the walls plus random
Fourier modes under a window that vanishes at the walls. The velocity is its curl, so it is
divergence-free and no dye crosses a wall.

References
----------
Kraichnan, Phys. Fluids 13, 22 (1970): random Fourier modes.
Fung, Hunt, Malik & Perkins, J. Fluid Mech. 236, 281 (1992): modes that are carried and turn.
Staniforth & Cote, Mon. Weather Rev. 119, 2206 (1991): semi-Lagrangian advection.
"""

import cv2
import numpy as np
import scipy.fft
from scipy.ndimage import gaussian_filter

from samflow.lab.synthetic.channel import Channel

# pixel figures below are meant for a picture of this height and scale with it
REFERENCE_HEIGHT = 270
# the finest grid that is simulated; taller pictures are interpolated from it
MAX_GRID_HEIGHT = 270


class Flow:
    """The velocity of the fluid in a channel, at any time step.

    Parameters
    ----------
    channel : Channel
        The walls.
    shape : (int, int)
        (h, w) of the grid, in cells of two simulation pixels.
    height : int
        Simulation pixels to one picture height.
    left : float
        Where the grid begins, in simulation pixels; negative before the picture.
    rng : numpy.random.Generator
        Where the modes are drawn from.

    Attributes
    ----------
    speed : float
        Mean speed in simulation pixels per step.
    depth : (h, w) float32 ndarray
        0 at the top wall, 1 at the bottom wall, clipped to that range.
    """

    def __init__(
        self,
        channel: Channel,
        shape: tuple[int, int],
        height: int,
        left: float,
        rng: np.random.Generator,
    ) -> None:
        h, w = shape
        scale = height / REFERENCE_HEIGHT
        self.speed = rng.uniform(2.0, 4.5) * scale
        # the centre of a cell of two pixels lies one pixel after its edge
        x = (left + 1.0 + 2.0 * np.arange(w)) / height
        y = (1.0 + 2.0 * np.arange(h)) / height
        # the fluid cannot follow a step in the wall: it sees a rounded one
        wall = gaussian_filter(channel.wall(x), 6.0 * scale + 0.5, mode="nearest")
        depth = (y[:, None] - channel.top) / (wall - channel.top)[None, :]
        self.depth = np.clip(depth, 0.0, 1.0).astype(np.float32)
        self._mean = self._mean_stream(rng.uniform(4.0, 9.0), (wall - channel.top) * height)
        wall_layer = np.clip(np.minimum(self.depth, 1 - self.depth) / 0.14, 0.0, 1.0)
        self._window = (wall_layer**2 * (3.0 - 2.0 * wall_layer)).astype(np.float32)
        self._draw_modes(shape, height, rng)

    def _mean_stream(self, power: float, thickness: np.ndarray) -> np.ndarray:
        """Stream function of the profile u ~ 1 - |2 s - 1|^power, of mean `speed`."""
        s = 2.0 * self.depth.astype(float) - 1.0
        flux = s - np.sign(s) * np.abs(s) ** (power + 1.0) / (power + 1.0)
        flux *= (power + 1.0) / power / 2.0
        # the flux is the same in every cross-section; the fluid is faster over a ridge
        return (self.speed * flux * thickness.mean()).astype(np.float32)

    def _draw_modes(self, shape: tuple[int, int], height: int, rng: np.random.Generator) -> None:
        h, w = shape
        self._shape = (scipy.fft.next_fast_len(h, real=True), scipy.fft.next_fast_len(w, real=True))
        ky = 2 * np.pi * np.fft.fftfreq(self._shape[0], 2.0)[:, None]
        kx = 2 * np.pi * np.fft.rfftfreq(self._shape[1], 2.0)[None, :]
        k = np.hypot(ky, kx)
        integral = 2 * np.pi / (rng.uniform(0.35, 0.9) * height)
        cutoff = 2 * np.pi / (rng.uniform(7.0, 14.0) * height / REFERENCE_HEIGHT)
        # von Karman's spectrum: E ~ k^4 below the integral scale, k^(-5/3) above
        relative = k / integral
        energy = relative**4 / (1.0 + relative**2) ** (17.0 / 6.0) * np.exp(-((k / cutoff) ** 2))
        # a shell of a plane holds 2 pi k modes, and the velocity of a mode is k times its psi
        amplitude = np.sqrt(energy) / np.maximum(k, k[0, 1]) ** 1.5
        amplitude[0, 0] = 0.0
        noise = rng.standard_normal((2, *k.shape))
        modes = amplitude * (noise[0] + 1j * noise[1])
        strength = rng.uniform(0.12, 0.38) * self.speed
        psi = np.fft.irfft2(modes, self._shape)
        rms = np.sqrt(
            0.5 * np.mean(np.gradient(psi, 2.0, axis=0) ** 2 + np.gradient(psi, 2.0, axis=1) ** 2)
        )
        self._modes = (modes * (strength / rms)).astype(np.complex64)
        turn = 0.5 * strength * integral * relative ** (2.0 / 3.0) * rng.standard_normal(k.shape)
        carried = kx * rng.uniform(0.7, 1.0) * self.speed
        self._rate = (turn - carried).astype(np.float32)

    def stream(self, time: float) -> np.ndarray:
        """Stream function at `time` (steps): (h, w) float32, simulation pixels squared per step."""
        turned = self._modes * np.exp(1j * self._rate * np.float32(time)).astype(np.complex64)
        waves = scipy.fft.irfft2(turned, self._shape)
        h, w = self.depth.shape
        return self._mean + self._window * waves[:h, :w]

    def velocity(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Velocity (u, v) at `time` (steps), (h, w) float32 each, in simulation pixels per step."""
        psi = self.stream(time)
        return np.gradient(psi, 2.0, axis=0), -np.gradient(psi, 2.0, axis=1)


class DyeSimulation:
    """Dye carried through a channel, one time step after another.

    Parameters
    ----------
    rng : numpy.random.Generator
        Everything random is drawn from it.
    size : (int, int)
        (H, W) of the picture in pixels.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.size = size
        self.height = min(size[0], MAX_GRID_HEIGHT)
        self.channel = Channel.random(rng)
        self._inflow = 2 * round(0.04 * self.height + 4)
        width = self._inflow + int(np.ceil(size[1] * self.height / size[0])) + 2
        cells = ((self.height + 1) // 2, (width + 1) // 2)
        self.flow = Flow(self.channel, cells, self.height, -self._inflow, rng)
        self._grid = (2 * cells[0], 2 * cells[1])
        y, x = np.mgrid[0 : cells[0], 0 : cells[1]].astype(np.float32)
        self._cells = (x, y)
        self._waves = rng.uniform([0.01, 0.3, 0.0], [0.03, 2.0, 6.3], (3, 3))
        texture = gaussian_filter(rng.standard_normal((256, 256)), (5.0, 3.0), mode="wrap")
        self._texture = (0.5 + 0.22 * texture / texture.std()).astype(np.float32)
        self.time = 0
        depth = cv2.resize(self.flow.depth, self._grid[::-1], interpolation=cv2.INTER_LINEAR)
        columns = -np.arange(self._grid[1], dtype=float) / self.flow.speed
        self._eta: np.ndarray = depth
        self._concentration: np.ndarray = self._entering_concentration(columns)

    def _entering_concentration(self, times: np.ndarray) -> np.ndarray:
        """Concentration of the fluid that enters at `times` (steps): (grid height, times)."""
        column = times * self.flow.speed * 0.5 * REFERENCE_HEIGHT / self.height
        rows = np.linspace(0, 255, self._grid[0], dtype=np.float32)
        map_x = np.broadcast_to((column % 255).astype(np.float32), (rows.size, column.size))
        map_y = np.broadcast_to(rows[:, None], map_x.shape)
        return cv2.remap(
            self._texture,
            np.ascontiguousarray(map_x),
            np.ascontiguousarray(map_y),
            cv2.INTER_LINEAR,
        )

    def step(self) -> None:
        """Advance by one time step: both fields are looked up where their fluid came from."""
        velocity = np.dstack(self.flow.velocity(self.time + 0.5))  # (h, w, 2), pixels per step
        x, y = self._cells
        middle_x, middle_y = x - 0.25 * velocity[..., 0], y - 0.25 * velocity[..., 1]
        edge = cv2.BORDER_REPLICATE
        midway = cv2.remap(velocity, middle_x, middle_y, cv2.INTER_LINEAR, borderMode=edge)
        back = cv2.resize(midway, self._grid[::-1])
        rows = np.arange(self._grid[0], dtype=np.float32)[:, None]
        columns = np.arange(self._grid[1], dtype=np.float32)[None, :]
        map_x, map_y = columns - back[..., 0], rows - back[..., 1]
        self._eta = cv2.remap(self._eta, map_x, map_y, cv2.INTER_CUBIC, borderMode=edge)
        np.clip(self._eta, 0.0, 1.0, out=self._eta)
        self._concentration = cv2.remap(
            self._concentration, map_x, map_y, cv2.INTER_CUBIC, borderMode=edge
        )
        self.time += 1
        self._replenish()

    def develop(self, rng: np.random.Generator) -> int:
        """Run until dye and eddies fill the picture; return a number of steps between frames."""
        for _ in range(int(rng.integers(25, 131))):
            self.step()
        return int(rng.integers(1, 4))

    def _replenish(self) -> None:
        amplitude, rate, phase = self._waves.T
        angle = rate * self.time * self.flow.speed / self.height * 2 * np.pi + phase
        wave = float(np.sum(amplitude * np.sin(angle)))
        fresh = slice(0, self._inflow - 2)
        depth = self.flow.depth[:, :1]
        column = cv2.resize(depth, (1, self._grid[0]), interpolation=cv2.INTER_LINEAR)
        # no wave at the walls: fluid that clings to them stays there
        self._eta[:, fresh] = np.clip(column + wave * 4.0 * column * (1.0 - column), 0.0, 1.0)
        self._concentration[:, fresh] = self._entering_concentration(np.array([float(self.time)]))

    def fields(self) -> tuple[np.ndarray, np.ndarray]:
        """Give eta, in [0, 1], and the concentration, in about [0, 1]: (H, W) float32."""
        height, width = self.size
        cut = slice(self._inflow, self._inflow + round(width * self.height / height))
        picture = (self._eta[: self.height, cut], self._concentration[: self.height, cut])
        if height == self.height:
            return picture
        eta, concentration = (
            cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in picture
        )
        return eta, concentration

    def labels(self) -> np.ndarray:
        """Give the exact label map (H, W) uint8, as in `DyeClip`."""
        height, width = self.size
        eta = self.fields()[0]
        first, second, third, last = self.channel.bands
        labels = np.zeros(self.size, np.uint8)
        labels[(eta >= first) & (eta < second)] = 1
        labels[(eta >= third) & (eta < last)] = 2
        rows = (np.arange(height)[:, None] + 0.5) / height
        labels[rows[:, 0] < self.channel.top] = 0
        wall = self.channel.wall((np.arange(width) + 0.5) / height)
        labels[rows >= wall[None, :]] = 3
        return labels
