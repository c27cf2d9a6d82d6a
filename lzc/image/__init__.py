"""PACKAGE lzc/image"""
