#pragma once

#include "gatekeeper/faults/draws.h"
#include "proto/robot.pb.h"

// What may befall a picture, mono8 or rgb8, in severities 1 to 5. Sizes stay; a picture whose data
// does not fit its size is left alone.

namespace gatekeeper::faults {

void PixelNoise(int severity, Draws& draws, v1::Image& image);
void Blur(int severity, Draws& draws, v1::Image& image);
void Brighten(int severity, Draws& draws, v1::Image& image);
void Flatten(int severity, Draws& draws, v1::Image& image);  // contrast
void Compress(int severity, Draws& draws, v1::Image& image);
void Soil(int severity, Draws& draws, v1::Image& image);
void Flare(int severity, Draws& draws, v1::Image& image);
void Shake(int severity, Draws& draws, v1::Image& image);

// Every value times `factor`.
void Scale(double factor, v1::Image& image);
// Left becomes right.
void MirrorImage(v1::Image& image);

}  // namespace gatekeeper::faults
