"""The part of the CUDA runtime that is used, on memory of this process, where there is no GPU."""

import ctypes

from cuda.bindings import runtime as cudart


class Card:
    """Work waits in a stream until it is awaited."""

    cudaError_t, cudaMemcpyKind = cudart.cudaError_t, cudart.cudaMemcpyKind
    OK = (cudart.cudaError_t.cudaSuccess,)

    def __init__(self):
        self.rooms, self.streams, self.copies, self.full_at = {}, {}, [], None

    def cudaStreamCreate(self):
        self.streams[stream := len(self.streams) + 1] = []
        return (*self.OK, stream)

    def cudaStreamDestroy(self, stream):
        del self.streams[stream]
        return self.OK

    def cudaMalloc(self, size):
        if len(self.rooms) == self.full_at:
            return cudart.cudaError_t.cudaErrorMemoryAllocation, None
        room = ctypes.create_string_buffer(size)
        self.rooms[ctypes.addressof(room)] = room
        return (*self.OK, ctypes.addressof(room))

    def cudaHostAlloc(self, size, flags):
        return self.cudaMalloc(size)

    def cudaFree(self, address):
        del self.rooms[address]
        return self.OK

    cudaFreeHost = cudaFree

    def cudaMemcpyAsync(self, to, origin, size, kind, stream):
        self.copies.append(kind)
        self.streams[stream].append(lambda: ctypes.memmove(to, origin, size))
        return self.OK

    def cudaStreamSynchronize(self, stream):
        while self.streams[stream]:
            self.streams[stream].pop(0)()
        return self.OK

    def cudaGetErrorString(self, error):
        return cudart.cudaGetErrorString(error)
