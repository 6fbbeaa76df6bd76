"""Frames in and out: films and folders of images, read by index and in order, written as H.264."""

from samflow.video.convert import concatenate_videos, video_to_frames
from samflow.video.reader import Video
from samflow.video.writer import VideoWriter

__all__ = ["Video", "VideoWriter", "concatenate_videos", "video_to_frames"]
